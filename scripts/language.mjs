// Searches the texts of the project for the phrases of scripts/language/deny-list.mjs.
//
//   node scripts/language.mjs            the areas that are held to the list
//   node scripts/language.mjs --all      every area, those that are not held to it yet too
//   node scripts/language.mjs FILE...    these files
//
// Exits with 1 when a phrase is found.

import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {AREAS} from './language/areas.mjs'
import {DENIED} from './language/deny-list.mjs'
import {readParagraphs} from './language/paragraphs.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

async function listFiles(path) {
  const entries = await readdir(path, {withFileTypes: true}).catch(() => undefined)
  if (entries === undefined) return [path]
  const nested = await Promise.all(entries.map(({name}) => listFiles(join(path, name))))
  return nested.flat()
}

function findPhrases({text, lineAt}) {
  return DENIED.flatMap(({pattern, unless, write}) =>
    [...text.matchAll(pattern)]
      .filter(({index}) => !unless?.test(text.slice(index)))
      .map(({0: phrase, index}) => ({line: lineAt(index), phrase, write})),
  )
}

/** Files of an area, each file once: the first area that names a file decides. */
async function filesByArea() {
  const seen = new Set()
  const areas = []
  for (const area of AREAS) {
    const files = (await Promise.all(area.paths.map(listFiles))).flat().sort()
    const own = files.filter((file) => !seen.has(file) && !area.except?.includes(file))
    for (const file of files) seen.add(file)
    areas.push({...area, files: own})
  }
  return areas
}

async function checkFile(file, texts) {
  const found = readParagraphs(file, await readFile(file, 'utf8'), texts).flatMap(findPhrases)
  for (const {line, phrase, write} of found.sort((a, b) => a.line - b.line))
    console.log(`${file}:${line}: "${phrase}". Write ${write}.`)
  return found.length
}

const argv = process.argv.slice(2)
let total = 0
for (const {name, files, texts, held} of await filesByArea()) {
  let count = 0
  for (const file of files) {
    const isNamed = argv.includes(file)
    if (argv.includes('--all') || (argv.length === 0 ? held : isNamed)) count += await checkFile(file, texts)
  }
  if (argv.includes('--all')) console.log(`${name}: ${count}`)
  total += count
}
if (total > 0) console.log(`${total} phrases to write in plain English (docs/decisions/0041-language.md).`)
process.exitCode = total > 0 ? 1 : 0
