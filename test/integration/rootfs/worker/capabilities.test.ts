import assert from 'node:assert/strict'
import {chmod, mkdir, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {readLedger} from '../../../../src/rootfs/ledger/ledger.js'
import {extractRootfs, removeTree} from '../../../../src/rootfs/worker/api.js'
import {capabilityOf, NET_RAW, withCapability} from '../../../support/capability.js'
import {extractionArena, treeFolder} from '../../../support/extraction.js'
import {file, folder, tarArchive, tarMember} from '../../../support/tar-archive.js'
import {BARE, MAPPED, missingMapping} from '../../../support/tree-process.js'

const skipMapped = await missingMapping()

for (const {what, tree, owners, skip} of [
  {what: 'as the caller', tree: BARE, owners: 'caller', skip: false},
  {what: 'in a user namespace', tree: MAPPED, owners: 'keep', skip: skipMapped},
] as const) {
  test(`a capability of the archive is set, ${what}`, {skip}, async (t) => {
    const {root, outside} = await extractionArena(t)
    const archive = tarArchive(
      withCapability(NET_RAW.toString('latin1')),
      tarMember({data: 'ping', mode: 0o755, name: 'ping', uid: 0, gid: 0}),
    )
    const ledger = join(outside, 'ledger')
    const report = await extractRootfs(tree, Readable.from([archive]), {owners, root, ledger})
    assert.equal(report.fileCapabilities, 0)
    assert.equal(await capabilityOf(join(root, 'ping')), `${join(root, 'ping')} cap_net_raw=ep`)
    assert.deepEqual(readLedger(ledger), {entries: [], dropped: 0})
  })
}

test('a capability is set where only bwrap may make a user namespace', async (t) => {
  const {root, outside} = await extractionArena(t)
  const refused = join(outside, 'unshare')
  await writeFile(refused, '#!/bin/sh\nexit 1\n')
  await chmod(refused, 0o755)
  const tree = {prefix: [], environment: {PATH: `${outside}:${process.env['PATH']}`}}
  const archive = tarArchive(withCapability(NET_RAW.toString('latin1')), file('ping'))
  const report = await extractRootfs(tree, Readable.from([archive]), {owners: 'caller', root})
  assert.equal(report.fileCapabilities, 0)
  assert.match(await capabilityOf(join(root, 'ping')), /cap_net_raw=ep$/)
})

test('a capability in the words of libarchive is set', async (t) => {
  const {root} = await extractionArena(t)
  const key = 'LIBARCHIVE.xattr.security.capability'
  await extractRootfs(
    BARE,
    Readable.from([tarArchive(withCapability(NET_RAW.toString('base64'), key), file('ping'))]),
    {
      owners: 'caller',
      root,
    },
  )
  assert.match(await capabilityOf(join(root, 'ping')), /cap_net_raw=ep$/)
})

test('a capability is set on a file of another user too', {skip: skipMapped}, async (t) => {
  const {root} = await extractionArena(t)
  t.after(() => removeTree(MAPPED, root))
  const archive = tarArchive(
    withCapability(NET_RAW.toString('latin1')),
    tarMember({mode: 0o4755, name: 'ping', uid: 7, gid: 8}),
  )
  await extractRootfs(MAPPED, Readable.from([archive]), {owners: 'keep', root})
  assert.match(await capabilityOf(join(root, 'ping')), /cap_net_raw=ep$/)
})

test('a capability that GNU tar kept is set', async (t) => {
  const source = await treeFolder(t)
  const {root} = await extractionArena(t)
  const {status, stdout, stderr} = await capture(
    [
      ...['unshare', '--map-root-user', 'sh', '-ec'],
      'cd "$0"; echo x >ping; setcap cap_net_admin,cap_net_raw+ep ping; tar --xattrs --xattrs-include="*" -cf - ping | base64 -w0',
      source,
    ],
    {env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'}},
  )
  assert.equal(status, 0, stderr)
  const report = await extractRootfs(BARE, Readable.from([Buffer.from(stdout, 'base64')]), {
    owners: 'caller',
    root,
  })
  assert.equal(report.fileCapabilities, 0)
  assert.match(await capabilityOf(join(root, 'ping')), /cap_net_admin,cap_net_raw=ep$/)
})

for (const [what, value] of [
  ['of an unknown revision', `\x01\0\0\x01${'\0'.repeat(8)}`],
  ['of a wrong length', NET_RAW.toString('latin1').slice(0, 19)],
  ['that is empty', ''],
  ['of another root than its own', `\x01\0\0\x03${'\0'.repeat(16)}\x01\x02\x03\x04`],
]) {
  test(`a capability ${what} is written down and not set`, async (t) => {
    const {root, outside} = await extractionArena(t)
    const ledger = join(outside, 'ledger')
    const archive = tarArchive(withCapability(value ?? ''), tarMember({name: 'ping', uid: 0, gid: 0}))
    const report = await extractRootfs(BARE, Readable.from([archive]), {owners: 'caller', root, ledger})
    assert.deepEqual([report.fileCapabilities, report.losses.capabilities], [1, 1])
    assert.equal(await capabilityOf(join(root, 'ping')), '')
    assert.deepEqual(readLedger(ledger).entries, [
      {
        path: 'ping',
        kind: 'file',
        uid: 0,
        gid: 0,
        mode: 0o644,
        capability: Buffer.from(value ?? '', 'latin1').toString('base64'),
        lost: ['capability'],
      },
    ])
  })
}

test('where no program can set them, capabilities are written down', async (t) => {
  const {root} = await extractionArena(t)
  const bin = await treeFolder(t)
  const archive = tarArchive(withCapability(NET_RAW.toString('latin1')), file('ping'))
  const arena = await extractionArena(t)
  const report = await arena.extract(archive, {which: (program) => (program === 'mkfifo' ? bin : undefined)})
  assert.equal(report.fileCapabilities, 1)
  assert.equal(await capabilityOf(join(root, 'ping')), '')
})

test('a link that a member planted leads no capability out of the tree', async (t) => {
  const {root, outside} = await extractionArena(t)
  const victim = join(outside, 'sentinel.txt')
  await mkdir(join(outside, 'folder'))
  await symlink('/', join(outside, 'link'))
  await chmod(victim, 0o644)
  const archive = tarArchive(
    tarMember({name: 'ping', target: victim, type: '2'}),
    withCapability(NET_RAW.toString('latin1')),
    file('ping'),
    folder('d'),
  )
  await extractRootfs(BARE, Readable.from([archive]), {owners: 'caller', root})
  assert.equal(await capabilityOf(victim), '')
  assert.match(await capabilityOf(join(root, 'ping')), /cap_net_raw=ep$/)
})
