import assert from 'node:assert/strict'
import {chmod, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {probeMapped} from '../../../src/host/id-mapping.js'
import {capture} from '../../../src/host/process.js'
import {treePrefix} from '../../../src/sandbox/ids/identity.js'
import {canSimulate, hide, mappingOn} from '../../support/simulated-host.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const isRoot = process.getuid?.() === 0
const skipSimulation = (await canSimulate()) ? false : 'this host lets no user make a user namespace'
const host = openHost()

/** A program called unshare that answers as the shell lines of `body` say. */
async function fakeUnshare(t: TestContext, body: string): Promise<(program: string) => string | undefined> {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'unshare')
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return (program) => (program === 'unshare' ? path : undefined)
}

test('a mapping that works gives a process many ids', async (t) => {
  const probe = await probeMapped(host)
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const unshare = host.which('unshare') ?? ''
  const {stdout} = await capture([...treePrefix('mapped', {unshare}), 'cat', '/proc/self/uid_map'])
  const ranges = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  assert.deepEqual(ranges[0], [0, host.uid, 1])
  assert.equal(ranges[1]?.[0], 1)
  assert.ok((ranges[1]?.[2] ?? 0) > 1)
})

test('a host without unshare lacks a util-linux of use', async () => {
  assert.deepEqual(await probeMapped({which: () => undefined, uid: host.uid}), {
    works: false,
    reason: 'old-util-linux',
  })
})

test('an unshare of another package is as good as none', async (t) => {
  const which = await fakeUnshare(t, 'echo "BusyBox v1.37.0"; exit 1')
  assert.deepEqual(await probeMapped({which, uid: host.uid}), {works: false, reason: 'old-util-linux'})
})

test('an unshare before 2.38 is too old', async (t) => {
  const which = await fakeUnshare(
    t,
    'test "$1" = --version && echo "unshare from util-linux 2.37.2" && exit 0; exit 1',
  )
  assert.deepEqual(await probeMapped({which, uid: host.uid}), {works: false, reason: 'old-util-linux'})
})

test('an unshare that can do nothing means that there are no user namespaces', async (t) => {
  const which = await fakeUnshare(
    t,
    'test "$1" = --version && echo "unshare from util-linux 2.41" && exit 0; exit 1',
  )
  assert.deepEqual(await probeMapped({which, uid: host.uid}), {works: false, reason: 'no-user-namespaces'})
})

test('a limit of no user namespaces is found', {skip: skipSimulation}, async () => {
  const prepare = 'echo 0 > /proc/sys/user/max_user_namespaces'
  assert.deepEqual(await mappingOn({prepare}), {works: false, reason: 'no-user-namespaces'})
})

test('a missing newuidmap is found', {skip: skipSimulation}, async () => {
  assert.deepEqual(await mappingOn({prepare: hide('newuidmap')}), {works: false, reason: 'no-newuidmap'})
})

test('a missing newgidmap is found', {skip: skipSimulation}, async () => {
  assert.deepEqual(await mappingOn({prepare: hide('newgidmap')}), {works: false, reason: 'no-newuidmap'})
})

for (const file of ['subuid', 'subgid']) {
  test(`an account without a line in /etc/${file} is found`, {skip: skipSimulation}, async () => {
    const prepare = [
      'mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm',
      'echo root:100000:65536 > /dev/shm/full',
      ': > /dev/shm/empty',
      ...['subuid', 'subgid'].map(
        (name) => `mount --bind /dev/shm/${name === file ? 'empty' : 'full'} /etc/${name}`,
      ),
    ].join('\n')
    assert.deepEqual(await mappingOn({prepare}), {works: false, reason: 'no-subuid-range'})
  })
}

test('an obstacle that nothing explains is said to be unknown', {skip: skipSimulation}, async () => {
  const prepare = [
    'mount -t tmpfs tmpfs /dev/shm',
    'echo root:100000:65536 > /dev/shm/full',
    'mount --bind /dev/shm/full /etc/subuid',
    'mount --bind /dev/shm/full /etc/subgid',
  ].join('\n')
  assert.deepEqual(await mappingOn({prepare}), {works: false, reason: 'unknown'})
})

test('a process that can gain no privileges is found', {skip: isRoot && 'root needs none'}, async () => {
  assert.deepEqual(await mappingOn({prefix: ['setpriv', '--no-new-privs']}), {
    works: false,
    reason: 'no-new-privs',
  })
})

test('this account works or lacks a range just as /etc/subuid has it', {
  skip: isRoot && 'root may map any id',
}, async () => {
  const name = (await capture(['id', '-un'])).stdout.trim()
  const lines = (await readFile('/etc/subuid', 'utf8')).split('\n')
  const hasRange = lines.some((line) => line.startsWith(`${name}:`) || line.startsWith(`${host.uid}:`))
  const probe = await probeMapped(host)
  assert.deepEqual(probe, hasRange ? {works: true} : {works: false, reason: 'no-subuid-range'})
})
