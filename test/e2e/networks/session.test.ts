import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {hostListener} from '../../support/networks.js'

const INTERFACES = 'while read -r each _; do echo "$each"; done </proc/net/dev'

for (const {identity, skip} of IDENTITIES) {
  const given = sharedGuest(identity)

  test(`${identity}: one session has no network, and the others keep theirs`, {skip}, async (t) => {
    const guest = await given()
    const port = await hostListener(t, {host: '127.0.0.1'})
    const connect = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`]
    const flags = ['--network', 'none']
    assert.equal((await guest.run(...connect)).status, 0)
    assert.equal((await guest.runWith({flags}, ...connect)).status, 1)
    const {stdout, stderr} = await guest.runWith({flags}, 'sh', '-c', INTERFACES)
    assert.deepEqual([stdout.includes('lo:\n'), stdout.includes('eth0:\n'), stderr], [true, false, ''])
    // It is not the root's of the guest.
    const change =
      'socket(my $s, 2, 2, 0); my $r = pack q(a16sx22), q(lo), 0; print ioctl($s, 0x8914, $r) ? 0 : $! + 0'
    assert.equal((await guest.runWith({flags}, 'perl', '-e', change)).stdout, '1')
    assert.equal((await guest.run(...connect)).status, 0)
    const refused = await guest.runWith({flags: ['--network', 'private']}, 'true')
    assert.deepEqual(
      [refused.status, refused.stderr.split('\n')[0]],
      [125, 'envs: --network private is not possible for one session: it can only be none.'],
    )
  })
}
