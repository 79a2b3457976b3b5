import assert from 'node:assert/strict'
import {lstatSync, statSync} from 'node:fs'
import {mkdtemp, readdir, rename, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import type {Guest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'
import {POLITE_INIT, scriptedGuest, WHY_NO_BOOT} from '../../support/scripted-init.js'
import {waitUntil} from '../../support/wait-until.js'

const play = scriptedGuest()
const skip = WHY_NO_BOOT

/** A folder of the host that no guest may reach. */
const outsideOf = ({cli}: Guest) => mkdtemp(join(cli.home, 'outside-'))

/** Puts something in the place of a file or folder of the stopped environment, until the end of the test. */
async function replace(
  t: TestContext,
  guest: Guest,
  {at, put}: {at: string; put: (path: string) => Promise<void>},
): Promise<void> {
  const [path, aside] = [join(guest.root, at), join(guest.root, 'tmp', 'aside')]
  const wasThere = lstatSync(path, {throwIfNoEntry: false}) !== undefined
  if (wasThere) await rename(path, aside)
  t.after(async () => {
    await stopped(play)
    await rm(path, {force: true})
    if (wasThere) await rename(aside, path)
  })
  await put(path)
}

/** Boots the guest with another program in the place of its init. */
async function givenInit(t: TestContext, text: string): Promise<Guest> {
  const guest = await stopped(play)
  const put = (path: string) => writeFile(path, text, {mode: 0o755})
  await replace(t, guest, {at: 'usr/sbin/init', put})
  return guest
}

for (const at of ['run', 'dev', 'sys', 'run/envs']) {
  test(`a link at /${at} that leads out is refused before a boot, and nothing is made outside`, {
    skip,
  }, async (t) => {
    const guest = await stopped(play)
    const outside = await outsideOf(guest)
    await replace(t, guest, {at, put: (path) => symlink(outside, path)})
    const ran = await guest.run('true')
    assert.equal(ran.status, 125)
    assert.match(ran.stderr, new RegExp(`^envs: [^\n]*/${at}[^\n]*\n( {2}[^\n]+\n)*$`))
    assert.deepEqual(await readdir(outside), [])
  })
}

test('a link at /sys/fs in the tree leads no control group out: the guest boots above it', {
  skip,
}, async (t) => {
  const guest = await stopped(play)
  const outside = await outsideOf(guest)
  await replace(t, guest, {at: 'sys/fs', put: (path) => symlink(outside, path)})
  const ran = await guest.sh('test -e /sys/fs/cgroup/cgroup.procs && echo groups')
  assert.deepEqual([ran.status, ran.stdout], [0, 'groups\n'], ran.stderr)
  assert.deepEqual(await readdir(outside), [])
})

for (const way of ['', '../../../../../../../..']) {
  test(`an init that is a link to ${way}/PATH of the host is looked for in the guest`, {skip}, async (t) => {
    const guest = await stopped(play)
    const outside = await outsideOf(guest)
    await writeFile(join(outside, 'init'), `#!/bin/sh\n: >${outside}/ran\n`, {mode: 0o755})
    const put = (path: string) => symlink(`${way}${outside}/init`, path)
    await replace(t, guest, {at: 'usr/sbin/init', put})
    const ran = await guest.run('true')
    assert.equal(ran.status, 125)
    assert.match(ran.stderr, /^envs: The environment "play" did not boot: [^\n]* ended with status 127\./)
    assert.deepEqual(await readdir(outside), ['init'])
  })
}

test('an init that exits at once is told with its status and its last words', {skip}, async (t) => {
  const guest = await givenInit(t, '#!/bin/sh\necho nothing to do\nexit 3\n')
  const ran = await guest.run('true')
  assert.equal(ran.status, 125)
  assert.match(ran.stderr, /did not boot: its first process ended with status 3\.[\s\S]*nothing to do/)
  assert.equal(readLiveAnchor(guest.state), undefined)
})

test('an init that floods its console fills one megabyte of the disk, and stops no session', {
  skip,
}, async (t) => {
  const FLOOD = `open(my $console, '>', '/dev/console'); while (1) { syswrite $console, 'flood' x 10_000 . "\\n" }`
  const guest = await givenInit(t, POLITE_INIT.replace('sleep 1 while 1;', FLOOD))
  assert.equal((await guest.run('true')).status, 0)
  const file = (name: string) => statSync(join(guest.state, name), {throwIfNoEntry: false})
  // Each file was full once.
  for (const _ of ['first', 'second']) {
    const before = file('console.log.1')?.ino
    await waitUntil('another full log', () => file('console.log.1')?.ino !== before)
  }
  const sizes = ['console.log', 'console.log.1'].map((name) => file(name)?.size ?? 0)
  assert.ok(Math.max(...sizes) <= 2 ** 19, String(sizes))
  assert.equal((await guest.run('true')).status, 0)
  assert.equal((await guest.cli.run('stop', 'play')).status, 0)
})

test('an init that is never ready is told at the deadline of start, and stop ends it', {skip}, async (t) => {
  const guest = await givenInit(t, '#!/bin/sh\nwhile :; do sleep 1; done\n')
  const begun = performance.now()
  const started = await guest.cli.run('start', 'play', '--timeout', '2s', '--json')
  // A session waits for half a minute.
  assert.ok(performance.now() - begun < 20_000)
  const {code, message} = JSON.parse(started.stdout).error
  assert.deepEqual([started.status, code], [7, 'ENVS_NOT_READY'])
  assert.match(message, /is running, but not ready after 2 s: its init is "starting"\.$/)
  assert.notEqual(readLiveAnchor(guest.state), undefined)
  assert.equal((await guest.cli.run('stop', 'play', '--timeout', '1s')).status, 0)
  assert.equal(readLiveAnchor(guest.state), undefined)
})
