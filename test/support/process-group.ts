import {spawn} from 'node:child_process'
import {capture} from '../../src/host/process.js'
import type {SandboxedCli} from './cli.js'
import {FRONT_DOOR} from './cli.js'

export type GroupRun = {
  readonly pid: number
  /** Sends a signal to envs and all that it started, as the kernel's Ctrl-C and a `kill -9 -PGID` do. */
  signalGroup(signal: NodeJS.Signals): void
  /** Sends it to envs alone. */
  signalLeader(signal: NodeJS.Signals): void
  /** Its standard error so far. */
  stderr(): string
  /** Resolves when envs is gone and nobody holds its output any more. */
  readonly ended: Promise<{
    status: number | null
    signal: NodeJS.Signals | null
    stdout: string
    stderr: string
  }>
}

/**
 * Starts envs as the leader of a process group of its own.
 *
 * @param before - Words of a program that starts it.
 */
export function startGroup(
  cli: Pick<SandboxedCli, 'home' | 'env'>,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  before: readonly string[] = [],
): GroupRun {
  const [program = FRONT_DOOR, ...words] = [...before, FRONT_DOOR, ...argv]
  const child = spawn(program, words, {
    cwd: cli.home,
    detached: true,
    env: {...cli.env, ...env},
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  })
  const {pid} = child
  if (pid === undefined) throw new Error('envs could not be started')
  const [stdout, stderr]: [string[], string[]] = [[], []]
  child.stdout.on('data', (chunk) => stdout.push(String(chunk)))
  child.stderr.on('data', (chunk) => stderr.push(String(chunk)))
  const ended = new Promise<Awaited<GroupRun['ended']>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) =>
      resolve({status, signal, stdout: stdout.join(''), stderr: stderr.join('')}),
    )
  })
  return {
    pid,
    signalGroup: (signal) => tolerateGone(() => process.kill(-pid, signal)),
    signalLeader: (signal) => tolerateGone(() => process.kill(pid, signal)),
    stderr: () => stderr.join(''),
    ended,
  }
}

function tolerateGone(kill: () => void): void {
  try {
    kill()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error
  }
}

/** Whether the process has flock(1) as a child, which waits for the lock in its place. */
export async function isWaiting(pid: number): Promise<boolean> {
  const {stdout} = await capture(['ps', '-o', 'comm=', '--ppid', String(pid)])
  return stdout.split('\n').includes('flock')
}
