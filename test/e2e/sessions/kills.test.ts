import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {
  anchorOf,
  childrenOf,
  commandsIn,
  parentOf,
  type RunningSession,
  startSession,
} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** A command that ends by nothing but a KILL. */
const STUBBORN = 'trap "" HUP TERM INT; echo ready; while :; do sleep 0.1; done'

async function assertNothingIsLeft(guest: Guest): Promise<void> {
  await waitUntil('the end of the guest command', async () => (await commandsIn(guest)).length === 0)
  await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
  assert.equal((await guest.sh('echo works')).stdout, 'works\n')
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const [what, script] of [
    ['a command', 'echo ready; exec sleep 60'],
    ['a command that ignores a hang-up', STUBBORN],
  ] as const) {
    test(`${identity}: ${what} ends when envs is killed, and leaves no ghost`, {skip}, async () => {
      const guest = await play()
      const session = await startSession(guest, script)
      process.kill(session.pid, 'SIGKILL')
      assert.equal(await session.ended(), 137)
      await assertNothingIsLeft(guest)
    })

    test(`${identity}: ${what} ends when what joined it to the environment is killed`, {skip}, async () => {
      const guest = await play()
      const session = await startSession(guest, script)
      process.kill(launcherOf(session), 'SIGKILL')
      assert.equal(await session.ended(), 137)
      await assertNothingIsLeft(guest)
    })
  }

  test(`${identity}: a user's command ends when envs is killed`, {skip}, async () => {
    const guest = await play()
    const session = await startSession(guest, STUBBORN, {flags: ['-u', 'games']})
    process.kill(session.pid, 'SIGKILL')
    await session.ended()
    await assertNothingIsLeft(guest)
  })

  test(`${identity}: when the environment's first process is killed, its sessions end with it`, {
    skip,
  }, async () => {
    const guest = await play()
    const session = await startSession(guest, STUBBORN)
    process.kill(anchorOf(guest).pid, 'SIGKILL')
    assert.equal(await session.ended(), 137)
    assert.deepEqual(await commandsIn(guest), [])
    assert.equal((await guest.sh('echo works')).stdout, 'works\n')
  })

  test(`${identity}: an environment has no bwrap outside, and can be joined and stopped`, {
    skip,
  }, async () => {
    const guest = await play()
    const session = await startSession(guest, STUBBORN)
    const {pid, startTime} = anchorOf(guest)
    const nameOfParent = () => readFileSync(`/proc/${parentOf(pid)}/comm`, 'utf8')
    await waitUntil('the end of bwrap', () => nameOfParent() !== 'bwrap\n')
    assert.equal((await guest.sh('echo works')).stdout, 'works\n')
    await guest.cli.run('stop', '--force', 'play')
    assert.equal(await session.ended(), 137)
    assert.notEqual(processStartTime(pid), startTime)
  })

  test(`${identity}: a guest root that kills everything gets a new environment`, {skip}, async () => {
    const guest = await play()
    const ran = await guest.sh('kill -KILL -1; sleep 5')
    assert.equal(ran.status, 137)
    assert.equal((await guest.sh('echo works')).stdout, 'works\n')
  })
}

/** The child of the envs process that waits for the guest's command; bwrap may be another. */
function launcherOf({pid}: RunningSession): number {
  const launcher = childrenOf(pid).find((child) =>
    /\/session\.p[ly]\0/.test(readFileSync(`/proc/${child}/cmdline`, 'utf8')),
  )
  assert.ok(launcher)
  return launcher
}
