import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'

/** Where each process's descriptors lead, `/proc` itself and pipes of the test left out. */
const LIST = 'for fd in /proc/1/fd/* /proc/2/fd/* /proc/$$/fd/*; do echo "$fd $(readlink "$fd")"; done'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [state, prepare] of [
    ['that it starts', ':'],
    ['that runs', 'envs run play sh -c "sleep 20 >/dev/null 2>&1 </dev/null &"'],
  ] as const) {
    test(`${identity}: a folder the caller has open is open nowhere in an environment ${state}`, {
      skip,
    }, async () => {
      const guest = await stopped(play)
      const {stdout} = await guest.onHost(
        // 9 is among those Node closes by itself, 20 and 250 are not.
        `${prepare}; mkdir -p secret; exec 7<secret 9<secret 20<secret 250<secret
         envs run play sh -c '${LIST}'`,
      )
      assert.match(stdout, /^\/proc\/1\/fd\/0 \/dev\/null$/m)
      assert.doesNotMatch(stdout, /secret/)
    })
  }

  test(`${identity}: a session gets three descriptors and no more`, {skip}, async () => {
    const guest = await stopped(play)
    const {stdout} = await guest.onHost(`exec 7</ 9</ 20</ 250</; envs run play sh -c 'ls /proc/$$/fd; :'`)
    assert.equal(stdout, '0\n1\n2\n')
  })

  test(`${identity}: a pipe the caller has open ends while a daemon lives`, {skip}, async () => {
    const guest = await stopped(play)
    const {stdout} = await guest.onHost(
      // cat ends when nobody holds the pipe open any more.
      `{ exec 20>&1; envs run play sh -c "sleep 20 >/dev/null 2>&1 </dev/null &" >/dev/null; echo end; } | timeout 10 cat`,
    )
    assert.equal(stdout, 'end\n')
    assert.equal((await guest.run('true')).status, 0)
  })
}
