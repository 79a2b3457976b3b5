import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {fileURLToPath} from 'node:url'
import {ExitCode} from '../../../src/errors.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

type Row = {readonly message: string; readonly code: string; readonly status: number}

async function rows(): Promise<Row[]> {
  const text = await readFile(join(root, 'docs/troubleshooting.md'), 'utf8')
  return [...text.matchAll(/^\| (.+?) \| `(ENVS_[A-Z0-9_]+)` \| (\d+) \| .+ \|$/gm)].map(
    ([, message = '', code = '', status = '']) => ({message, code, status: Number(status)}),
  )
}

/** The text of every file that throws with a code, by code. */
async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const folder of ['src', 'commands']) {
    for (const name of await readdir(join(root, folder), {recursive: true})) {
      if (!name.endsWith('.ts')) continue
      const text = await readFile(join(root, folder, name), 'utf8')
      for (const [line] of text.matchAll(/^.*\bcode(?:: |\s*=\s*|\s*\?\s*).*'ENVS_.*$/gm)) {
        if (line.includes('===')) continue
        for (const [code] of line.matchAll(/ENVS_[A-Z0-9_]+/g))
          found.set(code, `${found.get(code) ?? ''}${text}`)
      }
    }
  }
  return found
}

test('every code that envs fails with has a line, and no line has another', async () => {
  const told = new Set((await rows()).map(({code}) => code))
  assert.deepEqual([...told].sort(), [...(await sources()).keys()].sort())
})

test('the words of each line are words of the message', async () => {
  const found = await sources()
  const wrong = (await rows()).flatMap(({message, code}) => {
    // What a command line is refused with is worded by many.
    if (code === 'ENVS_USAGE') return []
    const text = found.get(code) ?? ''
    const pieces = message.split('…').map((piece) => piece.trim().replace(/^[;,:.] /, ''))
    return pieces.filter((piece) => piece.length > 3 && !text.includes(piece)).map((piece) => ({code, piece}))
  })
  assert.deepEqual(wrong, [])
})

/** Those that stand beside the code, which is nearly all. */
async function statuses(): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const [code, text] of await sources()) {
    const beside = new RegExp(`code: '${code}',\\s*exitCode: ExitCode\\.(\\w+)`).exec(text)?.[1]
    const named = Object.entries(ExitCode).find(([name]) => name === beside)
    if (named !== undefined) found.set(code, named[1])
  }
  return found
}

test('each line has the exit status of the failure', async () => {
  const told = new Map((await rows()).map(({code, status}) => [code, status]))
  const known = [...(await statuses())]
  assert.ok(known.length > 70, `only ${known.length} were found`)
  assert.deepEqual(
    known.filter(([code, status]) => told.get(code) !== status),
    [],
  )
})
