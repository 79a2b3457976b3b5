import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, ownGuest} from '../../support/guest.js'

/** What its first process has open is the host's, as far as it leads to files. */
const SPOIL = `for fd in /proc/1/fd/*; do
  [ -f "$fd" ] || [ -p "$fd" ] || continue
  chmod 000 "$fd"; chown games:games "$fd"; truncate -s 1G "$fd" || true
done 2>/dev/null; chmod 000 /run/envs 2>/dev/null; true`

for (const {identity, skip} of IDENTITIES) {
  test(`${identity}: a guest's root that spoils what its first process has open keeps nothing from working`, {
    skip,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    for (const words of [
      ['list'],
      ['doctor', '--repair'],
      ['prune', '--yes'],
      ['run', 'play', 'true'],
      ['snapshot', 'play'],
      ['rm', 'play'],
    ]) {
      assert.equal((await guest.sh(SPOIL)).status, 0)
      const stopped = await guest.cli.run('stop', 'play')
      assert.equal(stopped.status, 0, stopped.stderr)
      const ran = await guest.cli.run(...words)
      assert.equal(ran.status, 0, `${words.join(' ')}: ${ran.stderr}`)
    }
  })
}
