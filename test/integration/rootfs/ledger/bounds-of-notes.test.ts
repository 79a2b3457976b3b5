// Tier: e2e, because a hundred thousand members take a while.
import assert from 'node:assert/strict'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {test} from 'node:test'
import {readLedger} from '../../../../src/rootfs/ledger/ledger.js'
import {extractRootfs} from '../../../../src/rootfs/worker/api.js'
import {capabilityOf, NET_RAW, withCapability} from '../../../support/capability.js'
import {extractionArena} from '../../../support/extraction.js'
import {tarArchive, tarMember} from '../../../support/tar-archive.js'
import {BARE} from '../../../support/tree-process.js'

test('entries past the bound are counted, not kept', async (t) => {
  const {root, outside} = await extractionArena(t)
  const ledger = join(outside, 'ledger')
  function* members() {
    for (let index = 0; index < 100_007; index++)
      yield tarMember({name: `n/${index}`, uid: 1, gid: 1, target: 'x', type: '2'})
    yield tarArchive()
  }
  const report = await extractRootfs(BARE, Readable.from(members()), {owners: 'caller', root, ledger})
  assert.deepEqual(report.losses, {owners: 100_000, capabilities: 0, devices: 0, dropped: 7})
  const {entries, dropped} = readLedger(ledger)
  assert.deepEqual([entries.length, dropped], [100_000, 7])
})

test('of more files than any image has, the rest is written down', async (t) => {
  const {root} = await extractionArena(t)
  const members = Array.from({length: 1005}, (_, index) => [
    withCapability(NET_RAW.toString('latin1')),
    tarMember({name: `file-${index}`, uid: 0, gid: 0}),
  ])
  const report = await extractRootfs(BARE, Readable.from([tarArchive(...members.flat())]), {
    owners: 'caller',
    root,
  })
  assert.equal(report.fileCapabilities, 5)
  assert.match(await capabilityOf(join(root, 'file-999')), /cap_net_raw=ep$/)
  assert.equal(await capabilityOf(join(root, 'file-1000')), '')
})
