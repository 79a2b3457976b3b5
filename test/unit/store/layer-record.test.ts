import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {type ImageLayerRecord, readLayerRecord, writeLayerRecord} from '../../../src/store/layers.js'
import {digestOf} from '../../support/download.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const RECORD: ImageLayerRecord = {
  sha256: digestOf(Buffer.from('archive')),
  archiveBytes: 7,
  report: {
    compression: 'gzip',
    entries: 1,
    totalBytes: 2,
    skippedDevices: 3,
    squashedOwners: {count: 1, ids: [70_000]},
    fileCapabilities: 0,
    losses: {owners: 0, capabilities: 0, devices: 0, dropped: 0},
  },
  notes: [{kind: 'minimized'}, {kind: 'archived', codename: 'focal'}],
  personal: [{path: 'etc/hostname', mode: 0o644, content: 'YQ==', folders: [{path: 'etc', mode: 0o755}]}],
  treeBytes: 4096,
}

test('the record of a layer is read as it was written, and as the first ones were, without a version', async (t) => {
  const path = join(await temporaryFolder(t), 'layer.json')
  await writeLayerRecord(path, RECORD)
  assert.equal(JSON.parse(await readFile(path, 'utf8')).schemaVersion, 1)
  assert.deepEqual(await readLayerRecord(path), RECORD)
  await writeFile(path, JSON.stringify(RECORD))
  assert.deepEqual(await readLayerRecord(path), RECORD)
})

for (const [what, text] of [
  ['of a newer version', JSON.stringify({schemaVersion: 2, ...RECORD})],
  ['of notes that nobody knows', JSON.stringify({...RECORD, notes: [{kind: 'other'}]})],
  ['cut off', JSON.stringify(RECORD).slice(0, 20)],
] as const) {
  test(`a record that is ${what} counts as none`, async (t) => {
    const path = join(await temporaryFolder(t), 'layer.json')
    await writeFile(path, text)
    assert.equal(await readLayerRecord(path), undefined)
  })
}
