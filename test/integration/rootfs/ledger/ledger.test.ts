import assert from 'node:assert/strict'
import {statSync} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {type TestContext, test} from 'node:test'
import {type LedgerEntry, readLedger} from '../../../../src/rootfs/ledger/ledger.js'
import {extractRootfs, removeTree} from '../../../../src/rootfs/worker/api.js'
import {extractionArena} from '../../../support/extraction.js'
import {folder, hardlink, symlink, tarArchive, tarMember} from '../../../support/tar-archive.js'
import {BARE, MAPPED, missingMapping} from '../../../support/tree-process.js'

const skipMapped = await missingMapping()

const ROOT = {uid: 0, gid: 0}
const owned = (
  name: string,
  uid: number,
  gid: number,
  more: {mode?: number; type?: string; target?: string} = {},
) => tarMember({name, uid, gid, ...more})

async function ledgerOf(t: TestContext, ...members: Buffer[]): Promise<readonly LedgerEntry[]> {
  const {root, outside} = await extractionArena(t)
  const ledger = join(outside, 'ledger')
  await extractRootfs(BARE, Readable.from([tarArchive(...members)]), {owners: 'caller', root, ledger})
  return readLedger(ledger).entries
}

const paths = (entries: readonly LedgerEntry[]) => entries.map(({path, uid, gid}) => `${path} ${uid}:${gid}`)

test('members of others than root are written down, whatever they are, and those of root are not', async (t) => {
  const entries = await ledgerOf(
    t,
    tarMember({...ROOT, mode: 0o755, name: './', type: '5'}),
    tarMember({...ROOT, name: 'roots'}),
    owned('folder', 7, 42, {mode: 0o2775, type: '5'}),
    owned('file', 0, 42, {mode: 0o640}),
    owned('link', 8, 9, {target: 'file', type: '2', mode: 0o777}),
    owned('fifo', 3, 0, {type: '6'}),
  )
  assert.deepEqual(entries, [
    {path: 'folder', kind: 'folder', uid: 7, gid: 42, mode: 0o2775, lost: ['owner']},
    {path: 'file', kind: 'file', uid: 0, gid: 42, mode: 0o640, lost: ['owner']},
    {path: 'link', kind: 'symlink', uid: 8, gid: 9, mode: 0o777, lost: ['owner']},
    {path: 'fifo', kind: 'fifo', uid: 3, gid: 0, mode: 0o644, lost: ['owner']},
  ])
})

test('device nodes are written down with their numbers', async (t) => {
  const numbers = {329: Buffer.from('0000010\0'), 337: Buffer.from('0000021\0')}
  const entries = await ledgerOf(
    t,
    tarMember({...ROOT, mode: 0o660, name: 'sdb1', patches: numbers, type: '4'}),
    tarMember({
      ...ROOT,
      mode: 0o666,
      name: 'null',
      patches: {...numbers, 337: Buffer.from('0000003\0')},
      type: '3',
    }),
  )
  assert.deepEqual(
    entries.map(({path, device, lost}) => ({path, device, lost})),
    [
      {path: 'sdb1', device: {type: 'block', major: 8, minor: 17}, lost: ['device']},
      {path: 'null', device: {type: 'char', major: 8, minor: 3}, lost: ['device']},
    ],
  )
})

test('a path is where the file came to lie, links on the way resolved', async (t) => {
  const entries = await ledgerOf(
    t,
    folder('usr'),
    folder('usr/bin'),
    symlink('bin', 'usr/bin'),
    owned('bin/at', 1, 1),
  )
  assert.deepEqual(
    entries.filter(({kind}) => kind === 'file').map(({path}) => path),
    ['usr/bin/at'],
  )
})

test('the last member of a path counts', async (t) => {
  const entries = await ledgerOf(
    t,
    owned('twice', 1, 1),
    owned('twice', 2, 2),
    owned('given-back', 1, 1),
    tarMember({...ROOT, name: 'given-back'}),
    owned('folder', 1, 1, {type: '5'}),
    owned('folder', 3, 3, {type: '5'}),
    owned('replaced', 1, 1, {type: '5'}),
    tarMember({...ROOT, name: 'replaced', target: 'x', type: '2'}),
  )
  assert.deepEqual(paths(entries), ['twice 2:2', 'folder 3:3'])
})

test('a second name of a file keeps its owner when the first becomes another', async (t) => {
  const entries = await ledgerOf(t, owned('a', 5, 5), hardlink('b', 'a'), tarMember({...ROOT, name: 'a'}))
  assert.deepEqual(paths(entries), ['b 5:5'])
})

test('paths lose the folder that wraps the tree', async (t) => {
  const entries = await ledgerOf(t, folder('rootfs'), folder('rootfs/etc'), owned('rootfs/etc/shadow', 0, 42))
  assert.deepEqual(paths(entries.filter(({kind}) => kind === 'file')), ['etc/shadow 0:42'])
})

test('a name of any bytes comes back as it was', async (t) => {
  const name = 'e\xff\xfe "\n\t\\ \x7f\x01é'
  const entries = await ledgerOf(t, owned(name, 1, 1))
  assert.deepEqual(paths(entries), [`${name} 1:1`])
})

test('in a user namespace owners that are mapped are none to write down', {skip: skipMapped}, async (t) => {
  const {root, outside} = await extractionArena(t)
  t.after(() => removeTree(MAPPED, root))
  const ledger = join(outside, 'ledger')
  const archive = tarArchive(
    owned('mapped', 33, 42),
    owned('beyond', 2_000_000, 0),
    owned('group', 0, 3_000_000),
  )
  const report = await extractRootfs(MAPPED, Readable.from([archive]), {owners: 'keep', root, ledger})
  assert.deepEqual(report.losses, {owners: 2, capabilities: 0, devices: 0, dropped: 0})
  assert.deepEqual(paths(readLedger(ledger).entries), ['beyond 2000000:0', 'group 0:3000000'])
})

test('the ledger is for nobody else to read', async (t) => {
  const {root, outside} = await extractionArena(t)
  const ledger = join(outside, 'ledger')
  await extractRootfs(BARE, Readable.from([tarArchive(owned('a', 1, 1))]), {owners: 'caller', root, ledger})
  assert.equal(statSync(ledger).mode & 0o777, 0o600)
})
