import assert from 'node:assert/strict'
import {readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {RecordUnreadableError} from '../../../src/store/errors.js'
import {type EnvironmentRecord, parseRecord, readRecord, writeRecord} from '../../../src/store/record.js'
import {digestOf} from '../../support/download.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const RECORD: EnvironmentRecord = {
  createdAt: new Date('2026-01-02T03:04:05.678Z'),
  image: {
    source: '/images/a.tar.gz',
    name: null,
    version: null,
    sha256: 'a'.repeat(64),
    sizeBytes: 1000,
    compression: 'gzip',
    trust: 'unverified',
    signer: null,
    signedAt: null,
    archive: null,
  },
  identity: 'mapped',
  storage: 'directory',
  architecture: 'amd64',
  extraction: {entries: 5, sizeBytes: 2000, skippedDevices: 1, squashedOwners: 0, fileCapabilities: 0},
  settings: {},
}

const ARCHIVE: NonNullable<EnvironmentRecord['image']['archive']> = {
  ingredients: digestOf(Buffer.from('ingredients')),
  variant: 'minbase',
  include: ['curl'],
  components: ['main'],
  pockets: [
    {
      suite: 'trixie',
      mirror: 'http://mirror.example/debian',
      inReleaseSha256: digestOf(Buffer.from('InRelease')),
      date: new Date('2026-11-01T00:00:00.000Z'),
      validUntil: null,
      signer: {fingerprint: 'A'.repeat(40), name: 'Publisher'},
    },
  ],
  packages: [{name: 'curl', version: '8.14.1-2', architecture: 'amd64'}],
}

/** The record as it stands in a file, for a test to spoil. */
function json(): Record<string, unknown> & {image: Record<string, unknown>} {
  return {schemaVersion: 2, ...structuredClone(RECORD), createdAt: RECORD.createdAt.toISOString()}
}

function rejects(text: string, rule: string): void {
  assert.throws(
    () => parseRecord(text, '/x/env.json'),
    (error: unknown) => {
      assert.ok(error instanceof RecordUnreadableError)
      assert.equal(error.message, `Could not read the record "/x/env.json": ${rule}.`)
      return true
    },
  )
}

test('reads what it has written, for its owner alone', async (t) => {
  const path = join(await temporaryFolder(t), 'env.json')
  await writeRecord(path, RECORD)
  assert.deepEqual(await readRecord(path), RECORD)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

test('reads what an image was made of', async (t) => {
  const path = join(await temporaryFolder(t), 'env.json')
  const made = {...RECORD, image: {...RECORD.image, archive: ARCHIVE}}
  await writeRecord(path, made)
  assert.deepEqual(await readRecord(path), made)
})

test('a missing record is none', async (t) => {
  const folder = await temporaryFolder(t)
  assert.equal(await readRecord(join(folder, 'env.json')), undefined)
  await writeFile(join(folder, 'file'), '')
  assert.equal(await readRecord(join(folder, 'file', 'env.json')), undefined)
})

test('keeps a field that it does not know, for the next write', () => {
  const {image, ...record} = json()
  const text = JSON.stringify({...record, later: true, image: {...image, later: [1]}})
  assert.deepEqual(parseRecord(text, '/x/env.json'), {
    ...RECORD,
    later: true,
    image: {...RECORD.image, later: [1]},
  })
})

test('reads a record that knows nothing of signatures', () => {
  const {source, sha256, sizeBytes, trust, compression} = RECORD.image
  const image = {source, sha256, sizeBytes, trust, compression}
  assert.deepEqual(parseRecord(JSON.stringify({...json(), image}), '/x/env.json'), RECORD)
})

test('a record of version 1 has no settings, and is left as it is', async (t) => {
  const {settings: _, ...first} = json()
  for (const old of [
    {...first, schemaVersion: 1},
    {...first, schemaVersion: undefined},
  ]) {
    const path = join(await temporaryFolder(t), 'env.json')
    await writeFile(path, JSON.stringify(old))
    assert.deepEqual(await readRecord(path), RECORD)
    assert.equal(await readFile(path, 'utf8'), JSON.stringify(old))
  }
})

for (const [what, text, rule] of [
  ['an empty file', '', 'it is not JSON'],
  ['half a file', JSON.stringify(json()).slice(0, 50), 'it is not JSON'],
  ['a list', '[]', 'it is not an object'],
  ['no settings', JSON.stringify({...json(), settings: undefined}), 'settings is missing'],
  [
    'a setting that it does not know',
    JSON.stringify({...json(), settings: {unheardOf: 'none'}}),
    'settings.unheardOf is not a field of this version',
  ],
  ['a version that never was', JSON.stringify({...json(), schemaVersion: 0}), 'its schemaVersion is 0'],
  ['null', 'null', 'it is not an object'],
  [
    'a later version',
    JSON.stringify({...json(), schemaVersion: 3}),
    'a newer envs wrote it: its schemaVersion is 3, and this envs reads up to 2',
  ],
  ['a file without an end', ' '.repeat(4_194_305), 'it is over 4194304 bytes'],
  ['an image that is none', JSON.stringify({...json(), image: 'x'}), 'image is not an object'],
  [
    'an identity that is none',
    JSON.stringify({...json(), identity: 'real'}),
    'identity is not mapped or emulated',
  ],
  ['a time that is none', JSON.stringify({...json(), createdAt: 'today'}), 'createdAt is not a time'],
  [
    'a size that is a text',
    JSON.stringify({...json(), image: {...json().image, sizeBytes: '1'}}),
    'image.sizeBytes is not a number',
  ],
] as const) {
  test(`refuses ${what}, and says why`, () => {
    rejects(text, rule)
  })
}
