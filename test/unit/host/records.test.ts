import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import * as v from 'valibot'
import {
  type RecordFormat,
  type RecordProblem,
  readRecordFile,
  requireRecordFile,
  writeRecordFile,
} from '../../../src/host/records.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

class Unreadable extends Error {
  constructor(
    path: string,
    readonly problem: RecordProblem,
  ) {
    super(path)
  }
}

const schema = v.object({words: v.array(v.string())})

/** Version 1 had `word`, version 2 `list`, version 3 has `words`. */
const FORMAT: RecordFormat<typeof schema> = {
  schema,
  migrations: [
    ({word, ...others}) => ({...others, list: [word]}),
    ({list, ...others}) => ({...others, words: list}),
  ],
  maxBytes: 100,
  indent: 0,
  unreadable: (path, problem) => new Unreadable(path, problem),
}

for (const [version, text] of [
  ['none', '{"word":"a"}'],
  ['1', '{"schemaVersion":1,"word":"a"}'],
  ['2', '{"schemaVersion":2,"list":["a"]}'],
  ['3', '{"schemaVersion":3,"words":["a"]}'],
] as const) {
  test(`a record of version ${version} is read as one of the newest, and its file stays as it is`, async (t) => {
    const path = join(await temporaryFolder(t), 'record.json')
    await writeFile(path, text)
    assert.deepEqual(readRecordFile(path, FORMAT), {words: ['a']})
    assert.equal(await readFile(path, 'utf8'), text)
  })
}

test('a record is written in the newest version', async (t) => {
  const path = join(await temporaryFolder(t), 'record.json')
  await writeRecordFile(path, {words: ['b']}, FORMAT)
  assert.equal(await readFile(path, 'utf8'), '{"schemaVersion":3,"words":["b"]}\n')
})

for (const [what, text, why] of [
  [
    'a newer version',
    '{"schemaVersion":4}',
    'a newer envs wrote it: its schemaVersion is 4, and this envs reads up to 3',
  ],
  ['half a version', '{"schemaVersion":1.5}', 'its schemaVersion is 1.5'],
  ['a version that is a text', '{"schemaVersion":"3"}', 'schemaVersion is not a number'],
  ['an old record that is damaged', '{"schemaVersion":1}', 'words.0 is missing'],
  ['a field of another type', '{"schemaVersion":3,"words":[1]}', 'words.0 is not a text'],
  ['more bytes than a record has', ' '.repeat(101), 'it is over 100 bytes'],
] as const) {
  test(`refuses ${what}, and says why`, async (t) => {
    const path = join(await temporaryFolder(t), 'record.json')
    await writeFile(path, text)
    assert.throws(
      () => readRecordFile(path, FORMAT),
      (error: unknown) => {
        assert.ok(error instanceof Unreadable)
        assert.deepEqual(
          [error.message, error.problem.why, error.problem.isNewer],
          [path, why, what === 'a newer version'],
        )
        return true
      },
    )
  })
}

test('a FIFO in the place of a record is refused at once', async (t) => {
  const path = join(await temporaryFolder(t), 'record.json')
  execFileSync('mkfifo', [path])
  assert.throws(() => readRecordFile(path, FORMAT), Unreadable)
})

test('a record that is not there is none, or an error of the system where it has to be there', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'file'), '')
  for (const [path, code] of [
    ['empty/record.json', 'ENOENT'],
    ['file/record.json', 'ENOTDIR'],
  ] as const) {
    assert.equal(readRecordFile(join(folder, path), FORMAT), undefined)
    assert.throws(() => requireRecordFile(join(folder, path), FORMAT), {code})
  }
})
