import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
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

test('a worker of a command, which holds the same lock, is not told apart', async (t) => {
  const {cli} = await play()
  await cli.run('stop', 'play')
  const [program, ...words] = cli.words
  const argv = [...words, 'export', 'play', '--format', 'tar']
  // Nobody reads the pipe: the worker waits in the middle of the tree.
  const command = spawn(program, argv, {cwd: cli.home, env: cli.env, stdio: ['ignore', 'pipe', 'inherit']})
  const hasEnded = once(command, 'exit')
  t.after(async () => {
    command.kill('SIGTERM')
    command.stdout.destroy()
    await hasEnded
  })
  await once(command.stdout, 'readable')
  const users = await lockUsers(join(cli.data, 'locks/play.lock'))
  assert.deepEqual(users, [{pid: command.pid, command: 'envs export play --format tar'}])
})
