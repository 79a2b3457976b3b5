import assert from 'node:assert/strict'
import {mkdirSync, statSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type LedgerEntry, openLedger, writeLedger} from '../../../../src/rootfs/ledger/ledger.js'
import {recordOwners, removeTree, restoreOwners} from '../../../../src/rootfs/worker/api.js'
import {treeFolder} from '../../../support/extraction.js'
import {MAPPED, missingMapping} from '../../../support/tree-process.js'

const skip = await missingMapping()

const OWNER = {uid: 33, gid: 33, mode: 0o666, lost: ['owner']} as const

/** A tree with a link out of it, a ledger, and a victim beside the tree. */
async function given(t: TestContext, entries: readonly LedgerEntry[]) {
  const folder = await treeFolder(t)
  t.after(() => removeTree(MAPPED, join(folder, 'rootfs')))
  const root = join(folder, 'rootfs')
  mkdirSync(join(root, 'etc'), {recursive: true})
  mkdirSync(join(folder, 'outside'), {mode: 0o700})
  writeFileSync(join(folder, 'outside/victim'), 'victim', {mode: 0o600})
  const ledger = openLedger()
  for (const entry of entries) ledger.note(entry)
  writeLedger(join(folder, 'ledger'), ledger)
  const state = () => ['', 'outside', 'outside/victim'].map((path) => stateOf(join(folder, path)))
  const before = state()
  return {
    root,
    outside: join(folder, 'outside'),
    ledgers: {root, from: join(folder, 'ledger'), to: join(folder, 'new')},
    assertUntouched() {
      assert.deepEqual(state(), before)
    },
  }
}

function stateOf(path: string): string {
  const {uid, gid, mode} = statSync(path)
  return `${uid}:${gid} ${mode.toString(8)}`
}

test('a link that took the place of a file gives its target no owner', {skip}, async (t) => {
  const {root, outside, ledgers, assertUntouched} = await given(t, [
    {path: 'etc/file', kind: 'file', ...OWNER},
  ])
  symlinkSync(join(outside, 'victim'), join(root, 'etc/file'))
  assert.equal((await restoreOwners(MAPPED, ledgers)).restored, 0)
  assertUntouched()
})

test('a link that took the place of a folder leads no owner out of the tree', {skip}, async (t) => {
  const {root, outside, ledgers, assertUntouched} = await given(t, [
    {path: 'out/victim', kind: 'file', ...OWNER},
  ])
  symlinkSync(outside, join(root, 'out'))
  assert.equal((await restoreOwners(MAPPED, ledgers)).restored, 0)
  assertUntouched()
})

test('steps up in a path lead no owner out of the tree', {skip}, async (t) => {
  const {ledgers, assertUntouched} = await given(t, [
    {path: 'etc/../../outside/victim', kind: 'file', ...OWNER},
  ])
  assert.equal((await restoreOwners(MAPPED, ledgers)).restored, 0)
  assertUntouched()
})

test("a line of the guest's dpkg leads no owner out of the tree", {skip}, async (t) => {
  const {root, outside, ledgers, assertUntouched} = await given(t, [])
  mkdirSync(join(root, 'var/lib/dpkg'), {recursive: true})
  symlinkSync(outside, join(root, 'out'))
  symlinkSync(join(outside, 'victim'), join(root, 'link'))
  const lines = [
    '/..',
    '/etc/../..',
    '/out/victim',
    '/link',
    '/etc/../../outside/victim',
    '/../outside/victim',
  ].map((path) => `#33 #33 4777 ${path}\n`)
  writeFileSync(join(root, 'var/lib/dpkg/statoverride'), lines.join(''))
  assert.equal((await restoreOwners(MAPPED, ledgers)).restored, 0)
  assertUntouched()
})

test('recording owners follows no link out of the tree', {skip}, async (t) => {
  const {root, outside, ledgers} = await given(t, [])
  symlinkSync(outside, join(root, 'out'))
  assert.deepEqual(await recordOwners(MAPPED, ledgers), {owners: 0, capabilities: 0, devices: 0, dropped: 0})
})
