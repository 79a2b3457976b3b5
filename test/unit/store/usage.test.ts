import assert from 'node:assert/strict'
import {readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {lastUse, parseUsage, recordUsage, recordUse} from '../../../src/store/sizes.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const NOON = new Date('2026-01-02T12:00:00.000Z')

test('reads a recorded size', () => {
  const text =
    '{"schemaVersion":1,"sizeBytes":4096,"measuredAt":"2026-01-02T12:00:00.000Z","layer":"m0123456789abcdef0123456789abcde"}'
  const layer = 'm0123456789abcdef0123456789abcde'
  assert.deepEqual(parseUsage(text), {sizeBytes: 4096, measuredAt: NOON, layer})
})

for (const text of [
  ...['', 'x', 'null', '1', '[]', '{}', '{"sizeBytes":4096}', '{"sizeBytes":4096,"measuredAt":"never"}'],
  '{"sizeBytes":"4096","measuredAt":"2026-01-02T12:00:00.000Z"}',
]) {
  test(`takes ${JSON.stringify(text)} for no record of a size`, () => {
    assert.equal(parseUsage(text), undefined)
  })
}

test('writes a size that can be read back, and nothing beside it', async (t) => {
  const folder = await temporaryFolder(t)
  await recordUsage(folder, {sizeBytes: 4096, measuredAt: NOON})
  assert.deepEqual(await readdir(folder), ['usage.json'])
  assert.equal((await stat(join(folder, 'usage.json'))).mode & 0o777, 0o600)
})

test('was never used before the first session', async (t) => {
  assert.equal(await lastUse(await temporaryFolder(t)), undefined)
})

test('was last used when the last session began', async (t) => {
  const folder = await temporaryFolder(t)
  await recordUse(folder, new Date('2026-01-01T00:00:00.000Z'))
  await recordUse(folder, NOON)
  assert.deepEqual(await lastUse(folder), NOON)
})
