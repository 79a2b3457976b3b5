import assert from 'node:assert/strict'
import {chmod, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {findProgram, openHost} from '../../../src/host/host.js'
import {probeMapped} from '../../../src/host/id-mapping.js'
import {capture} from '../../../src/host/process.js'
import {treePrefix} from '../../../src/sandbox/identity.js'
import {mappedIds} from '../../support/mapped-ids.js'
import {oldUnshare} from '../../support/old-unshare.js'
import {canSimulate, hide, idMapOn, mappingOn} from '../../support/simulated-host.js'
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

/** What `which` finds when the folder is in front in PATH. */
function findIn(folder: string): (program: string) => string | undefined {
  return (program) => findProgram(program, `${folder}:${process.env['PATH']}`)
}

test('a mapping that works gives a process many ids', async (t) => {
  const probe = await probeMapped(host)
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const ranges = await mappedIds(host, 'uid')
  assert.deepEqual(ranges[0], [0, host.uid, 1])
  assert.equal(ranges[1]?.[0], 1)
  assert.ok((ranges[1]?.[2] ?? 0) > 1)
})

test('a host without unshare lacks a util-linux of use', async () => {
  assert.deepEqual(await probeMapped({...host, which: () => undefined}), {
    works: false,
    reason: 'old-util-linux',
  })
})

test('an unshare of another package is as good as none', async (t) => {
  const which = await fakeUnshare(t, 'echo "BusyBox v1.37.0"; exit 1')
  assert.deepEqual(await probeMapped({...host, which}), {works: false, reason: 'old-util-linux'})
})

test('an unshare before 2.38 maps the same ids, through newuidmap', async (t) => {
  const probe = await probeMapped(host)
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const old = {...host, which: findIn(await oldUnshare(t))}
  assert.deepEqual(await probeMapped(old), {works: true, way: 'newuidmap'})
  for (const kind of ['uid', 'gid'] as const) {
    assert.deepEqual(await mappedIds(old, kind), await mappedIds(host, kind))
  }
})

test('an unshare before 2.38 is too old where there is no perl', async (t) => {
  const probe = await probeMapped(host)
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const which = findIn(await oldUnshare(t))
  const old = {...host, which: (program: string) => (program === 'perl' ? undefined : which(program))}
  assert.deepEqual(await probeMapped(old), {works: false, reason: 'old-util-linux'})
})

test('a program that can not be started behind a mapping says so, and ends with 1', async (t) => {
  const probe = await probeMapped(host)
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const prefix = await treePrefix('mapped', {...host, which: findIn(await oldUnshare(t))})
  const {status, stderr} = await capture([...prefix, '/no/such'])
  assert.deepEqual([status, stderr], [1, 'map-ids: /no/such: No such file or directory\n'])
})

/** Root in the namespace has its own range behind another account's, which unshare(1) would take for root's. */
test("root gets the range of its own line, and not another account's before it", async (t) => {
  const probe = await probeMapped(host)
  if (isRoot || !probe.works) return t.skip('ids can not be mapped here, or this is root')
  const prepare = [
    'mount -t tmpfs tmpfs /dev/shm',
    'printf "bob:1:100\\nroot:1000:5000\\n" > /dev/shm/ranges',
    'mount --bind /dev/shm/ranges /etc/subuid',
    'mount --bind /dev/shm/ranges /etc/subgid',
  ].join('\n')
  assert.deepEqual(await idMapOn({prepare, hasIds: true}), [
    [0, 0, 1],
    [1, 1000, 4999],
  ])
  assert.deepEqual(await mappingOn({prepare, hasIds: true}), {works: true, way: 'newuidmap'})
})

test("root without a line of its own is not given another account's range", async (t) => {
  const probe = await probeMapped(host)
  if (isRoot || !probe.works) return t.skip('ids can not be mapped here, or this is root')
  const prepare = [
    'mount -t tmpfs tmpfs /dev/shm',
    'echo bob:1:100 > /dev/shm/ranges',
    'mount --bind /dev/shm/ranges /etc/subuid',
    'mount --bind /dev/shm/ranges /etc/subgid',
  ].join('\n')
  assert.deepEqual(await mappingOn({prepare, hasIds: true}), {works: false, reason: 'no-subuid-range'})
})

test('an unshare that can do nothing means that there are no user namespaces', async (t) => {
  const which = await fakeUnshare(
    t,
    'test "$1" = --version && echo "unshare from util-linux 2.41" && exit 0; exit 1',
  )
  assert.deepEqual(await probeMapped({...host, which}), {works: false, reason: 'no-user-namespaces'})
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
  assert.deepEqual(
    probe,
    hasRange ? {works: true, way: 'unshare'} : {works: false, reason: 'no-subuid-range'},
  )
})
