import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {startSession} from '../../support/running-session.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [signal, status] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGUSR1', 138],
    ['SIGUSR2', 140],
  ] as const) {
    test(`${identity}: ${signal} to envs ends the guest's command, and the status tells`, {
      skip,
    }, async () => {
      const session = await startSession(await play(), 'ulimit -c 0; echo ready; exec sleep 60')
      process.kill(session.pid, signal)
      assert.equal(await session.ended(), status)
    })

    test(`${identity}: a command that handles ${signal} goes on, and decides its status`, {
      skip,
    }, async () => {
      const name = signal.slice('SIG'.length)
      const script = `trap 'echo caught; exit 42' ${name}; echo ready; while :; do sleep 0.05; done`
      const session = await startSession(await play(), script)
      process.kill(session.pid, signal)
      assert.equal(await session.ended(), 42)
      assert.equal(session.output(), 'ready\ncaught\n')
    })
  }

  test(`${identity}: a stopped command goes on with SIGCONT`, {skip}, async () => {
    const session = await startSession(await play(), 'echo ready; kill -STOP $$; exit 9')
    process.kill(session.pid, 'SIGCONT')
    assert.equal(await session.ended(), 9)
  })
}
