// Sums up the coverage of src/ by the tests, from V8's counts for their bundle.
import {readdir, readFile} from 'node:fs/promises'
import {SourceMap} from 'node:module'
import {dirname, join, relative, resolve} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Returns one line for each folder of src/: the share of its code that ran in the processes whose counts are in `folder`.
 *
 * Lines with only types are not code. Programs that a test starts are not counted.
 */
export async function coverageLines(folder) {
  const lines = new Map()
  for (const [path, ranges] of await rangesByFile(folder)) await addFile(lines, path, ranges)
  const rooms = new Map()
  for (const [key, isCovered] of lines) {
    const [room] = key.slice('src/'.length).split(/[/:]/)
    for (const name of [room, 'all']) {
      const sum = rooms.get(name) ?? {covered: 0, total: 0}
      rooms.set(name, {covered: sum.covered + Number(isCovered), total: sum.total + 1})
    }
  }
  return ['coverage of src, lines, by tests in the same process', ...[...rooms].sort(byName).map(roomLine)]
}

function byName([one], [other]) {
  if (one === 'all' || other === 'all') return one === 'all' ? 1 : -1
  return one < other ? -1 : 1
}

function roomLine([name, {covered, total}]) {
  const percent = ((100 * covered) / total).toFixed(1)
  return `  ${name.padEnd(24)} ${percent.padStart(5)} %  ${covered} of ${total}`
}

/** Of each bundled file, what each process says of it. */
async function rangesByFile(folder) {
  const files = new Map()
  const bundle = pathToFileURL(join(dirname(folder), 'bundle/')).href
  for (const name of await readdir(folder)) {
    const {result} = JSON.parse(await readFile(join(folder, name), 'utf8'))
    for (const {url, functions} of result) {
      if (!url.startsWith(bundle)) continue
      const path = fileURLToPath(url)
      files.set(path, [...(files.get(path) ?? []), functions.flatMap(({ranges}) => ranges)])
    }
  }
  return files
}

/** @param lines - By `path:line` of a source, whether any process ran it. */
async function addFile(lines, path, processes) {
  const text = await readFile(path, 'utf8')
  const map = new SourceMap(JSON.parse(await readFile(`${path}.map`, 'utf8')))
  const counts = processes.map((ranges) => countsOf(text.length, ranges))
  let offset = 0
  for (const [number, line] of text.split('\n').entries()) {
    const column = line.search(/\S/)
    const entry = column === -1 ? undefined : map.findEntry(number, column)
    const source = entry?.originalSource && sourcePath(path, entry.originalSource)
    if (source?.startsWith('src/')) {
      const key = `${source}:${entry.originalLine}`
      const isCovered = counts.some((count) => count[offset + column] > 0)
      lines.set(key, (lines.get(key) ?? false) || isCovered)
    }
    offset += line.length + 1
  }
}

function sourcePath(path, source) {
  return relative(root, source.startsWith('file:') ? fileURLToPath(source) : resolve(dirname(path), source))
}

/** How often each character was run: an inner range comes after the one around it. */
function countsOf(length, ranges) {
  const counts = new Uint8Array(length)
  for (const {startOffset, endOffset, count} of ranges)
    counts.fill(Math.min(count, 1), startOffset, endOffset)
  return counts
}
