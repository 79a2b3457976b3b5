import assert from 'node:assert/strict'
import {test} from 'node:test'
import {ExitCode} from '../../../../src/errors.js'
import {type ImageRecord, parseImageRecord, renderImageRecord} from '../../../../src/images/cache/record.js'
import {digestOf} from '../../../support/download.js'

const RECORD: ImageRecord = {
  name: 'ubuntu:focal/base',
  source: 'ubuntu-base',
  suite: 'focal',
  variant: 'base',
  architecture: 'amd64',
  version: '20.04.5',
  url: 'https://mirror.example/ubuntu-base-20.04.5-base-amd64.tar.gz',
  sha256: digestOf(Buffer.from('archive')),
  sizeBytes: 26_257_800,
  signer: {fingerprint: 'A'.repeat(40), name: 'Publisher'},
  signedAt: new Date('2022-09-01T10:00:00.000Z'),
  fetchedAt: new Date('2026-01-02T03:04:05.678Z'),
  evidence: {
    url: 'https://mirror.example/SHA256SUMS',
    listing: 'SHA256SUMS',
    signature: 'SHA256SUMS.gpg',
  },
  archive: null,
}

test('reads what it has written', () => {
  assert.deepEqual(parseImageRecord(renderImageRecord(RECORD), '/x/image.json'), RECORD)
})

test('reads a listing that carries its signature inside', () => {
  const clearsigned = {...RECORD, evidence: {...RECORD.evidence, signature: null}}
  assert.deepEqual(parseImageRecord(renderImageRecord(clearsigned), '/x/image.json'), clearsigned)
})

for (const [what, change, rule] of [
  [
    'a later version',
    {schemaVersion: 2},
    'a newer envs wrote it: its schemaVersion is 2, and this envs reads up to 1',
  ],
  ['a digest that is none', {sha256: 'A'.repeat(64)}, 'sha256 is not a SHA-256 digest'],
  ['a size that is a text', {sizeBytes: '1'}, 'sizeBytes is not a number'],
  ['a URL that is none', {url: 'mirror'}, 'url is not a URL'],
  ['a time that is none', {signedAt: 'soon'}, 'signedAt is not a time'],
  ['no signer', {signer: null}, 'signer is not an object'],
  [
    'a listing outside its folder',
    {evidence: {...RECORD.evidence, listing: '../../env.json'}},
    'evidence.listing is not a file name',
  ],
  [
    'a signature outside its folder',
    {evidence: {...RECORD.evidence, signature: '/etc/passwd'}},
    'evidence.signature is not a file name',
  ],
] as const) {
  test(`refuses ${what}`, () => {
    const text = JSON.stringify({...JSON.parse(renderImageRecord(RECORD)), ...change})
    assert.throws(() => parseImageRecord(text, '/x/image.json'), {
      name: 'ImageRecordUnreadableError',
      message: `Could not read the image record "/x/image.json": ${rule}.`,
      exitCode: ExitCode.storage,
    })
  })
}

test('refuses what is no JSON, and what is too long to be a record', () => {
  assert.throws(() => parseImageRecord('{', '/x'), {
    message: 'Could not read the image record "/x": it is not JSON.',
  })
  const long = ' '.repeat(4_194_305)
  assert.throws(() => parseImageRecord(long, '/x'), {
    message: 'Could not read the image record "/x": it is over 4194304 bytes.',
  })
})
