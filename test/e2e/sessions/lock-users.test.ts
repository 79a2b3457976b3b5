import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {lockUsers} from '../../../src/host/locks.js'
import {sharedGuest} from '../../support/guest.js'
import {startSession} from '../../support/running-session.js'

const play = sharedGuest('emulated')

test('who holds an environment is the envs command that the user started', async () => {
  const guest = await play()
  const script = 'echo ready; exec sleep 600'
  const session = await startSession(guest, script)
  const users = await lockUsers(join(guest.cli.data, 'locks/play.lock'))
  assert.deepEqual(users, [{pid: session.pid, command: `envs run play -- sh -c ${script}`}])
  process.kill(session.pid, 'SIGTERM')
  assert.equal(await session.ended(), 143)
})
