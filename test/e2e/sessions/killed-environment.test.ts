import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {type Guest, IDENTITIES, putProgram, sharedGuest} from '../../support/guest.js'
import {guestProgramsBelow, hostProgramsBelow, isAlive, stateOf} from '../../support/process-tree.js'
import {anchorOf} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

const PROGRAM = '/usr/local/bin/marks'

/** Namespaces that a session joins: the owner of the mounts, mounts, names, IPC, processes, and the guest's users. */
const JOINED = 6

/** A session of {@link PROGRAM} that has stopped itself at one of the calls by which it joins, and is traced no more. */
async function heldAtJoin({cli}: Guest, when: number) {
  const traced = ['-e', 'trace=setns', '-e', `inject=setns:signal=SIGSTOP:when=${when}`]
  // -D: strace is no parent, so that the status is that of envs, and strace can go.
  const words = ['-D', '-f', '-qq', '-o', '/dev/null', ...traced, ...cli.words, 'run', 'play', PROGRAM]
  const session = observed(
    spawn('strace', words, {cwd: cli.home, env: cli.env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000}),
  )
  let seen: number | undefined
  const held = await waitUntil(`a stop at join ${when}`, () => {
    const [before, found] = [seen, hostProgramsBelow(session.pid).find(isStopped)]
    seen = found
    // Twice: the stop for the tracer, to have the signal delivered, comes before that of the process.
    return found !== undefined && found === before ? found : undefined
  })
  process.kill(tracerOf(held), 'SIGKILL')
  await waitUntil('the tracer to be gone', () => stateOf(held) === 'T')
  return {resume: () => process.kill(held, 'SIGCONT'), ended: session.ended}
}

function isStopped(pid: number): boolean {
  return ['t', 'T'].includes(stateOf(pid) ?? '')
}

function observed(child: ChildProcess) {
  const output = {stdout: '', stderr: ''}
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (piece) => {
      output[name] += String(piece)
    })
  const closed = once(child, 'close')
  return {pid: child.pid ?? 0, ended: async () => ({status: (await closed)[0], ...output})}
}

function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  async function up(program: string): Promise<Guest> {
    const guest = await play()
    await putProgram(guest, PROGRAM, program)
    await guest.sh('sleep 600 >/dev/null 2>&1 &')
    return guest
  }

  for (let when = 1; when <= JOINED; when++) {
    test(`${identity}: an environment that is killed before its session's join ${when} of ${JOINED} is started again`, {
      skip,
    }, async () => {
      const guest = await up('#!/bin/sh\necho ran\nexit 5\n')
      const session = await heldAtJoin(guest, when)
      const {pid} = anchorOf(guest)
      process.kill(pid, 'SIGKILL')
      // Until then, the kernel starts processes in its namespace.
      await waitUntil('the end of the environment', () => !isAlive(pid))
      session.resume()
      assert.deepEqual(await session.ended(), {status: 5, stdout: 'ran\n', stderr: ''})
    })
  }

  test(`${identity}: an environment that is killed when the command has begun ends the session by that`, {
    skip,
  }, async () => {
    const guest = await up('#!/bin/sh\necho ran\nkill -STOP $$\n')
    const session = observed(guest.start('run', 'play', PROGRAM))
    await waitUntil('the command', () => guestProgramsBelow(session.pid).some(isStopped))
    process.kill(anchorOf(guest).pid, 'SIGKILL')
    assert.deepEqual(await session.ended(), {status: 137, stdout: 'ran\n', stderr: ''})
  })
}
