import type {ChildProcess} from 'node:child_process'
import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {type DebArchitecture, systemCalls} from '../../host/arch.js'
import type {Lock} from '../../host/locks.js'
import {templateText} from '../../host/paths.js'
import {capture, ended, pipeOf, start, started} from '../../host/process.js'
import {sessionFailedError} from '../errors.js'
import type {Mount} from '../mounts.js'
import {describeProcesses, type GuestProcess} from '../processes.js'
import {buildFilter} from '../seccomp/filter.js'
import {PROOT_SETS} from '../seccomp/rules.js'
import {forwardSignals, parseFailure, sessionError} from '../session.js'
import type {SessionRequest, Volume} from '../session-options.js'
import type {SandboxSpec} from '../spec.js'

/** How long what a command leaves behind may take to end. */
const END_GRACE_MS = 2000

export type ProotSession = {
  readonly name: string
  readonly request: SessionRequest
  readonly tree: ProotTree
  /** The environment's lock, held shared: proot keeps it for as long as anything runs. */
  readonly lock: Lock
  /** That of its first process, which it has none of; held shared, so that none is started beside. */
  readonly liveness: Lock
  /** Words that start templates/host/load-filter.pl. */
  readonly loader: readonly string[]
  readonly architecture: DebArchitecture
  /** For proot's own files, on a file system that programs can be executed from. */
  readonly temporaryFolder: string
}

/**
 * Runs one command, or a login shell, where no namespaces are to be had, and waits for it. What it leaves behind ends too,
 * and all of it when this process is killed.
 *
 * @returns The guest's own exit status, 128+n for signal n.
 * @throws {@link sessionFailedError} Or another EnvsError, when the command did not start.
 */
export async function runProotSession(session: ProotSession): Promise<number> {
  const {name, request, tree, lock, liveness, loader, architecture} = session
  const script = await templateText('guest/proot-session.sh')
  const task = (kind: 'find' | 'run', ...command: readonly string[]) => [
    ...['/bin/sh', '-c', script, 'envs-session'],
    ...[kind, request.user, request.workingFolder ?? '', ...command],
  ]
  const ids = request.user === 'root' ? '0:0' : await findIds(session, task('find'))
  const {prctl} = systemCalls(architecture)
  const stdio: ('inherit' | 'pipe' | number)[] = ['inherit', 'inherit', 'inherit']
  stdio[ProotFd.status] = 'pipe'
  stdio[ProotFd.lock] = lock.fd
  stdio[ProotFd.liveness] = liveness.fd
  stdio[ProotFd.filter] = 'pipe'
  const underFilter = [...loader, String(prctl), String(process.pid)]
  const argv = [...underFilter, ...prootWords(tree, ids), ...task('run', ...request.command)]
  const child = start(argv, {env: variables(session), stdio})
  const exit = ended(child)
  await started(child)
  const filterPipe = pipeOf(child, ProotFd.filter)
  filterPipe.on('error', () => {})
  filterPipe.end(buildFilter(architecture, PROOT_SETS))
  const stopForwarding = forwardSignals(commandOf(child), {interrupts: request.forwardsInterrupts})
  const line = await firstLine(child)
  // Whoever reads what the command printed would wait for proot, and so for all that is left.
  if (child.pid !== undefined) await stopProot(child.pid, {graceMs: END_GRACE_MS})
  await exit
  stopForwarding()
  const failure = parseFailure(line)
  if (failure !== undefined) throw sessionError(name, request, failure)
  const status = /^ended (?<status>\d+)$/.exec(line)?.groups?.['status']
  if (status === undefined) throw sessionFailedError({name, reason: 'proot ended before the command did'})
  return Number(status)
}

/** Told by the guest's own list of users. @throws As {@link runProotSession}. */
async function findIds(session: ProotSession, task: readonly string[]): Promise<string> {
  const {name, request, tree} = session
  const argv = [...prootWords(tree, '0:0'), '/bin/sh', '-c', 'exec 3>&1; exec "$@"', 'sh', ...task]
  const {stdout} = await capture(argv, {env: variables(session)})
  const line = stdout.trim()
  if (/^\d{1,10}:\d{1,10}$/.test(line)) return line
  throw sessionError(name, request, parseFailure(line) ?? {stage: 'user', errno: 2})
}

function variables({request, temporaryFolder}: ProotSession): Record<string, string> {
  const own = Object.fromEntries(request.variables.map(({name, value}) => [name, value]))
  return {...own, PROOT_TMP_DIR: temporaryFolder}
}

/** proot takes no signals, so they go to the command below the shell that it runs. */
function commandOf(child: ChildProcess): Pick<ChildProcess, 'kill'> {
  return {
    kill(signal) {
      const shells = childrenOf(child.pid)
      const commands = shells.flatMap(childrenOf)
      for (const pid of commands.length > 0 ? commands : shells) {
        try {
          process.kill(pid, signal)
        } catch {
          // It has just ended.
        }
      }
      return true
    },
  }
}

/** @see proc_pid_task_children(5) */
function childrenOf(pid: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Empty when nothing came: proot and all that it ran are gone. */
async function firstLine(child: ChildProcess): Promise<string> {
  const pipe = pipeOf(child, ProotFd.status)
  try {
    for await (const line of createInterface({input: pipe})) return line
    return ''
  } finally {
    pipe.destroy()
  }
}

export type ProotTree = {
  /** Absolute path of proot(1). */
  readonly program: string
  /** `root` is a folder of the host. */
  readonly spec: Pick<SandboxSpec, 'root' | 'mounts'>
  /** What one session sees beside it; none is read-only. */
  readonly volumes: readonly Volume[]
}

/**
 * Words before a command that sees a tree as its `/`, by a tracer that changes paths and ids in its system calls.
 *
 * @param ids - `UID:GID` that it believes to have.
 * @see proot(1): --verbose=-1 has it tell errors alone
 */
export function prootWords({program, spec: {root, mounts}, volumes}: ProotTree, ids: string): string[] {
  if (root.kind !== 'bind') throw new Error('proot can show no layers')
  return [
    ...[program, '--verbose=-1', ids === '0:0' ? '--root-id' : `--change-id=${ids}`, `--rootfs=${root.from}`],
    ...mounts.flatMap(bindOf),
    ...volumes.map(({source, target}) => `--bind=${source}:${target}`),
    '--cwd=/',
  ]
}

/** A file system of the kernel is the host's own; what covers a part of one has no effect. */
function bindOf(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [mount.from === mount.at ? `--bind=${mount.at}` : `--bind=${mount.from}:${mount.at}`]
    case 'dev':
    case 'proc':
      return [`--bind=${mount.at}`]
    case 'tmpfs':
    case 'mqueue':
    case 'empty':
    case 'overlay':
      return []
  }
}

/** Numbers of the descriptors that templates/guest/proot-session.sh inherits, and proot keeps. */
const ProotFd = {status: 3, lock: 4, liveness: 5, filter: 6} as const

const POLL_MS = 20

/**
 * What proot runs of one environment, oldest first.
 *
 * @param lockPath - The environment's lock, which each proot of its own has open.
 */
export function listProotProcesses(lockPath: string): GuestProcess[] {
  const own = tracees((tracer) => hasLock(tracer, lockPath))
  return describeProcesses(own).sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
}

/**
 * Ends what proot runs of an environment. Never proot itself, without which the rest would be among the host's files: it
 * ends with the last of them.
 *
 * @param graceMs - How long services may take to end by themselves.
 */
export function stopProotProcesses(lockPath: string, options: {graceMs: number}): Promise<void> {
  return stopTracees((tracer) => hasLock(tracer, lockPath), options)
}

/** As {@link stopProotProcesses}, of what one proot runs. */
function stopProot(pid: number, options: {graceMs: number}): Promise<void> {
  return stopTracees((tracer) => tracer === pid, options)
}

async function stopTracees(isOurs: TracerTest, {graceMs}: {graceMs: number}): Promise<void> {
  if (graceMs > 0) for (const signal of ['SIGTERM', 'SIGHUP'] as const) send(tracees(isOurs), signal)
  const deadline = Date.now() + graceMs
  while (Date.now() < deadline && tracees(isOurs).length > 0) await sleep(POLL_MS)
  for (let left = tracees(isOurs); left.length > 0; left = tracees(isOurs)) {
    send(left, 'SIGKILL')
    await sleep(POLL_MS)
  }
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It ended by itself in between.
    }
  }
}

type TracerTest = (tracer: number) => boolean

function tracees(isOurs: TracerTest): number[] {
  const answers = new Map<number, boolean>()
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      const tracer = Number.isInteger(pid) ? tracerOf(pid) : 0
      if (tracer === 0) return false
      const known = answers.get(tracer) ?? isOurs(tracer)
      answers.set(tracer, known)
      return known
    })
}

/** 0 for one without. @see proc_pid_status(5) */
function tracerOf(pid: number): number {
  try {
    return Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function hasLock(pid: number, lockPath: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${ProotFd.lock}`) === lockPath
  } catch {
    return false
  }
}
