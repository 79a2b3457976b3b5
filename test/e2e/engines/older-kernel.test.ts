import assert from 'node:assert/strict'
import {after, test} from 'node:test'
import {type Guest, sharedGuest, withVariables} from '../../support/guest.js'
import {MOUNT_SETATTR, olderKernel} from '../../support/older-kernel.js'
import {canSimulate} from '../../support/simulated-host.js'

const skip = (await canSimulate()) ? false : 'this host lets no user make a user namespace'

/** What a mount lets be done, place by place. */
const MOUNTS = `cut -d' ' -f5,6 /proc/self/mountinfo | sort -u`

const tidyUps: (() => Promise<void>)[] = []
const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}

const onThisKernel = sharedGuest('emulated')
const onOlderKernel = sharedGuest('emulated', {behind: () => olderKernel(scope, {without: MOUNT_SETATTR})})
const byUnshare = (guest: Guest) => withVariables(guest, {ENVS_ENGINE: 'unshare'})

test('by system calls alone, mounts are limited before Linux 5.12 as they are since', {skip}, async () => {
  const [here, there] = await Promise.all(
    [onThisKernel(), onOlderKernel()].map(async (guest) => byUnshare(await guest).sh(MOUNTS)),
  )
  assert.match(there?.stdout ?? '', /^\/sys ro,nosuid,nodev/m)
  assert.deepEqual(there, here)
})

test('by system calls alone, a session of before Linux 5.12 refuses a read-only volume, and says why', {
  skip,
}, async () => {
  const guest = byUnshare(await onOlderKernel())
  const ran = await guest.runWith({flags: ['--volume', '/usr/share:/mnt/share:ro']}, 'true')
  assert.equal(ran.status, 125)
  assert.match(ran.stderr, /this kernel cannot share a folder read-only/)
  const writable = await guest.runWith({flags: ['--volume', '/usr/share:/mnt/share']}, 'ls', '/mnt/share')
  assert.equal(writable.status, 0, writable.stderr)
})

const byBwrap = sharedGuest('emulated', {behind: () => olderKernel(scope, {without: MOUNT_SETATTR})})

test('by bwrap a session begins before Linux 5.12, on a tree whose setuid files count', {
  skip,
}, async () => {
  const guest = withVariables(await byBwrap(), {ENVS_ENGINE: 'bwrap'})
  const ran = await guest.sh(`id -u; grep -c ' / / [^ ]*nosuid' /proc/self/mountinfo`)
  assert.deepEqual([ran.stdout, ran.stderr], ['0\n0\n', ''])
})

// Hooks run in the order they are given: a guest goes before its host.
after(async () => {
  for (const tidyUp of tidyUps) await tidyUp()
})
