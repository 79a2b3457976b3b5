import assert from 'node:assert/strict'
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {systemCalls} from '../../../src/host/machine/arch.js'
import {IDENTITIES, sharedGuest, withVariables} from '../../support/guest.js'
import {poorerHost} from '../../support/poorer-host.js'
import {commandsIn, startSession} from '../../support/running-session.js'
import {canSimulate} from '../../support/simulated-host.js'

const isRoot = process.getuid?.() === 0
const noRoot = isRoot || (await canSimulate()) ? false : 'no user namespace to be root of'
const noIds = IDENTITIES.some(({skip}) => skip !== false) && 'no ids to be given away by a root'

const {mount, umount2, unshare} = systemCalls(openHost().architecture)

/** mount(8) is not in every guest; numbers of linux/mount.h and linux/sched.h. */
const TRY = `use strict; my ($nothing, $flags) = ("", 0x1020);
sub outcome { print $_[0] == 0 ? "undone: $_[1]\\n" : "kept\\n" }
sub remount { my ($path) = @_; outcome(syscall(${mount}, $nothing, $path, $nothing, $flags, 0), "remount $path") }
`
const UNDO = `${TRY}remount("/proc/sys"); remount("/sys");
my ($path, $proc) = ("/proc/sys", "proc");
outcome(syscall(${umount2}, $path, 2), "umount $path");
print syscall(${unshare}, 0x20000) == 0 ? "separate\\n" : "not separate\\n";
outcome(syscall(${umount2}, $path, 2), "umount $path in a mount namespace of its own");
$path = "/proc";
outcome(syscall(${mount}, $proc, $path, $proc, 0, 0), "another proc");`
const REMOUNT_VOLUME = `${TRY}remount("/mnt/ro")`

const tidyUps: (() => Promise<void>)[] = []
const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}

for (const {engine, identity} of [
  {engine: 'bwrap', identity: 'emulated'},
  {engine: 'unshare', identity: 'emulated'},
  {engine: 'unshare', identity: 'mapped'},
] as const) {
  const title = `${engine}, ${identity}`
  // The machine's root where the tests are run by it, else that of a container with ids of its own.
  const skip = noRoot || (!(isRoot && identity === 'emulated') && noIds)
  const behind = async () => (isRoot ? [] : poorerHost(scope, {without: [], identity: 'mapped'}))
  const shared = sharedGuest(identity, {behind})
  const play = async () => withVariables(await shared(), {ENVS_ENGINE: engine})

  test(`${title}: run by root, the guest's root is in a user namespace below that of its mounts`, {
    skip,
  }, async () => {
    const ran = await (await play()).run('perl', '-e', UNDO)
    assert.deepEqual([ran.stdout, ran.stderr], ['kept\nkept\nkept\nseparate\nkept\nkept\n', ''])
  })

  test(`${title}: run by root, a session of another user is that user`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith({flags: ['--user', 'games']}, 'sh', '-c', 'id -un; id -g; pwd')
    assert.deepEqual([ran.stdout, ran.stderr], ['games\n60\n/usr/games\n', ''])
  })

  test(`${title}: run by root, a volume is shared, and read-only is so for the guest's root`, {
    skip,
  }, async () => {
    const {cli, runWith} = await play()
    const folder = await mkdtemp(join(cli.home, 'share-'))
    await writeFile(join(folder, 'note'), 'of the host\n')
    const flags = ['-v', `${folder}:/mnt/rw`, '-v', `${folder}:/mnt/ro:ro`]
    const script = 'cat /mnt/ro/note; perl -e "$0"; echo x 2>/dev/null >/mnt/ro/note; echo y >/mnt/rw/answer'
    const ran = await runWith({flags}, 'sh', '-c', script, REMOUNT_VOLUME)
    assert.deepEqual([ran.stdout, ran.stderr, ran.status], ['of the host\nkept\n', '', 0])
    assert.equal(await readFile(join(folder, 'note'), 'utf8'), 'of the host\n')
    assert.equal(await readFile(join(folder, 'answer'), 'utf8'), 'y\n')
  })

  test(`${title}: run by root, envs stop lets services end by themselves`, {skip}, async () => {
    const guest = await play()
    const script = "trap 'echo asked; exit 42' TERM; echo ready; while :; do sleep 0.05; done"
    const session = await startSession(guest, script)
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.equal(await session.ended(), 42)
    assert.equal(session.output(), 'ready\nasked\n')
    assert.deepEqual(await commandsIn(guest), [])
  })
}

// Hooks run in the order they are given: a guest goes before its host.
after(async () => {
  for (const tidyUp of tidyUps) await tidyUp()
})
