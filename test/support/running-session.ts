import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {constants} from 'node:os'
import {type Anchor, readLiveAnchor} from '../../src/sandbox/anchor-state.js'
import type {Guest} from './guest.js'
import {waitUntil} from './wait-until.js'

/** A session that is under way. */
export type RunningSession = {
  /** The envs process; it leads a session of its own, so no terminal sends it anything. */
  readonly process: ChildProcess
  readonly pid: number
  /** What the command has printed so far. */
  output(): string
  /** Waits for the end; the status is a shell's, 128+n for signal n. */
  ended(): Promise<number>
}

/** Longer than any session of a test, so that a hang is a failure and not a wait for ever. */
const TIMEOUT_MS = 60_000

/** `envs run FLAG… play -- sh -c SCRIPT`, as soon as the script has printed `ready`. */
export async function startSession(
  {cli}: Guest,
  script: string,
  {flags = []}: {flags?: readonly string[]} = {},
): Promise<RunningSession> {
  const child = spawn(
    cli.words[0],
    [...cli.words.slice(1), 'run', ...flags, 'play', '--', 'sh', '-c', script],
    {
      cwd: cli.home,
      detached: true,
      env: cli.env,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: TIMEOUT_MS,
    },
  )
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8')
  })
  const end = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    // Not "close": what outlives the session may have its output open.
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    )
  })
  await waitUntil(`ready from ${script}`, () => output.includes('ready\n'))
  assert.ok(child.pid)
  return {process: child, pid: child.pid, output: () => output, ended: () => end}
}

/** The running environment's first process; it must be running. */
export function anchorOf({state}: Guest): Anchor {
  const anchor = readLiveAnchor(state)
  assert.ok(anchor, 'the environment is not running')
  return anchor
}

/** Children of a process, oldest first. @see proc_pid_task_children(5) */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** Commands that `envs ps` shows, in its order. */
export async function commandsIn({cli}: Guest): Promise<string[]> {
  const ran = await cli.run('ps', 'play', '--json')
  const processes: {command: string}[] = JSON.parse(ran.stdout)
  return processes.map(({command}) => command)
}

/** A shared environment, down: nothing runs in it that another test left. */
export async function stopped(play: () => Promise<Guest>): Promise<Guest> {
  const guest = await play()
  const ran = await guest.cli.run('stop', '--force', 'play')
  assert.equal(ran.status, 0, ran.stderr)
  return guest
}
