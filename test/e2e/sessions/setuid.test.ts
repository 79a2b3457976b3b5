import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {mountOf, parseMountinfo} from '../../../src/host/machine/proc.js'
import {IDENTITIES, ownGuest} from '../../support/guest.js'

/** Of the mount that `path` lies on: whether setuid files count for nothing there. */
function isNosuid(mountinfo: string, path: string): boolean | undefined {
  return mountOf(path, parseMountinfo(mountinfo))?.options.includes('nosuid')
}

/** Its guest has no say over its mounts: docs/decisions/0011-the-hosts-root.md. */
const isRoots = process.getuid?.() === 0 && "the mounts of the host's root stay nosuid"

for (const {identity, skip: missing} of IDENTITIES) {
  const skip = isRoots || missing
  test(`${identity}: setuid counts in a tree without mount(8), and in a share as on the host`, {
    skip,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    await guest.sh('rm -f /usr/bin/mount')
    await guest.cli.run('stop', 'play')
    // The first session of an anchor has a share, whose copy of the mounts must not be the only one that is changed.
    const shared = await guest.runWith({flags: ['-v', '/dev/shm:/mnt']}, 'cat', '/proc/self/mountinfo')
    assert.equal(isNosuid(shared.stdout, '/'), false, shared.stdout)
    assert.equal(isNosuid(shared.stdout, '/proc'), true)
    assert.equal(
      isNosuid(shared.stdout, '/mnt'),
      isNosuid(readFileSync('/proc/self/mountinfo', 'utf8'), '/dev/shm'),
    )
    assert.equal(isNosuid((await guest.run('cat', '/proc/self/mountinfo')).stdout, '/'), false)
  })
}

const {skip: notMapped = false} = IDENTITIES.find(({identity}) => identity === 'mapped') ?? {}

test('mapped: a user becomes root by sudo, in a tree without mount(8)', {skip: notMapped}, async (t) => {
  const guest = await ownGuest(t, 'mapped')
  const prepared = await guest.sh(`rm -f /usr/bin/mount
apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends passwd sudo &&
useradd -m dev && echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev`)
  assert.equal(prepared.status, 0, prepared.stderr)
  await guest.cli.run('stop', 'play')
  const bySu = await guest.run('su', 'dev', '-c', 'id -un; sudo id -u')
  assert.deepEqual([bySu.status, bySu.stdout], [0, 'dev\n0\n'], bySu.stderr)
  const byFlag = await guest.runWith({flags: ['-u', 'dev']}, 'sudo', 'id', '-u')
  assert.deepEqual([byFlag.status, byFlag.stdout], [0, '0\n'], byFlag.stderr)
})
