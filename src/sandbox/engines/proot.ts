import type {ChildProcess} from 'node:child_process'
import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {hasBytes, PERCENT_MARK, percentText} from '../../host/argv/bytes.js'
import type {Lock} from '../../host/locks.js'
import {type DebArchitecture, systemCalls} from '../../host/machine/arch.js'
import {templateText} from '../../host/paths.js'
import {capture, ended, pipeOf, start, started} from '../../host/process.js'
import {sessionFailedError} from '../errors.js'
import type {Mount} from '../mounts.js'
import {describeProcesses, type GuestProcess} from '../processes.js'
import {buildFilter} from '../seccomp/filter.js'
import {PROOT_SETS} from '../seccomp/rules.js'
import {forwardSignals, parseFailure, sessionError} from '../session.js'
import type {SessionRequest, SessionVariable, Volume} from '../session-options.js'
import type {SandboxSpec} from '../spec.js'

/** Time that processes left by a command have to end by themselves. */
const END_GRACE_MS = 2000

export type ProotSession = {
  readonly name: string
  readonly request: SessionRequest
  readonly tree: ProotTree
  /** The environment's lock, held shared: proot inherits it and holds it while a process runs. */
  readonly lock: Lock
  /** The liveness lock, held shared, so that no other engine starts an anchor meanwhile. */
  readonly liveness: Lock
  /** Argv prefix of templates/host/load-filter.pl. */
  readonly loader: readonly string[]
  readonly architecture: DebArchitecture
  /** Argv prefix that limits each process; empty without limits. */
  readonly limits: readonly string[]
  readonly timeoutSeconds: number | undefined
  /** Called when the command is ended after its time. */
  readonly onTimeout?: ((seconds: number) => void) | undefined
  /** Called when the command is about to be executed. */
  readonly onStarted?: (() => void) | undefined
  /** For proot's own files; on a file system without noexec. */
  readonly temporaryFolder: string
}

/**
 * Runs one command, or a login shell, on a host without user namespaces, and waits for it. Then ends the processes that the
 * command left. All processes end when this process is killed.
 *
 * @returns The guest's exit status, 128+n for signal n.
 * @throws {@link sessionFailedError} Or another EnvsError, when the command did not start.
 */
export async function runProotSession(session: ProotSession): Promise<number> {
  const {name, request, tree, lock, liveness, loader, architecture, limits} = session
  const script = await templateText('guest/proot-session.sh')
  const ofImage = effectiveVariables(request).filter(({isOfImage}) => isOfImage === true)
  const task = (kind: 'find' | 'run', ...command: readonly string[]) => [
    ...shellOf(tree),
    ...['-c', script, 'envs-session'],
    ...[kind, request.user, request.workingFolder ?? '', request.usualFolder ?? ''],
    ...[String(ofImage.length), ...ofImage.map(({name: key, value}) => `${key}=${value}`), ...command],
  ]
  const ids = request.user === 'root' ? '0:0' : await findIds(session, task('find'))
  const {prctl} = systemCalls(architecture)
  const stdio: ('inherit' | 'pipe' | number)[] = ['inherit', 'inherit', 'inherit']
  stdio[ProotFd.status] = 'pipe'
  stdio[ProotFd.lock] = lock.fd
  stdio[ProotFd.liveness] = liveness.fd
  stdio[ProotFd.filter] = 'pipe'
  const underFilter = [...loader, String(prctl), String(process.pid)]
  const {words, env} = passable(
    [...prootWords(tree, ids), ...task('run', ...request.command)],
    variables(session),
  )
  const child = start([...limits, ...underFilter, ...words], {env, stdio})
  const exit = ended(child)
  await started(child)
  const filterPipe = pipeOf(child, ProotFd.filter)
  filterPipe.on('error', () => {})
  filterPipe.end(buildFilter(architecture, PROOT_SETS))
  const stopForwarding = forwardSignals(commandOf(child), {interrupts: request.forwardsInterrupts})
  const time = limitTime(child, session.timeoutSeconds)
  const line = await lastWord(child, session.onStarted)
  // proot keeps the output pipes open until its last process ends: a reader of the command's output would wait for that.
  if (child.pid !== undefined) await stopProot(child.pid, {graceMs: END_GRACE_MS})
  await exit
  time.stop()
  stopForwarding()
  const failure = parseFailure(line)
  if (failure !== undefined) throw sessionError(name, request, failure)
  if (time.isOver()) {
    session.onTimeout?.(session.timeoutSeconds ?? 0)
    return TIMED_OUT
  }
  const status = /^ended (?<status>\d+)$/.exec(line)?.groups?.['status']
  if (status === undefined) throw sessionFailedError({name, reason: 'proot ended before the command did'})
  return Number(status)
}

/** As timeout(1) and templates/host/session/limits.pl end. */
const TIMED_OUT = 124
const HANGUP_GRACE_MS = 10_000
/** The longest that Node waits. */
const MOST_TIMER_MS = 2 ** 31 - 1

/** Hangs up a command after its time, and ends it some time later. */
function limitTime(child: ChildProcess, seconds: number | undefined) {
  let isOver = false
  const timers: NodeJS.Timeout[] = []
  const later = (ms: number, work: () => void) => timers.push(setTimeout(work, Math.min(ms, MOST_TIMER_MS)))
  if (seconds !== undefined)
    later(seconds * 1000, () => {
      isOver = true
      commandOf(child).kill('SIGHUP')
      later(HANGUP_GRACE_MS, () => {
        if (child.pid !== undefined) void stopProot(child.pid, {graceMs: 0})
      })
    })
  return {
    isOver: () => isOver,
    stop() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

/** Returns words and variables as Node can pass them to templates/host/load-filter.pl. */
function passable(words: readonly string[], env: Readonly<Record<string, string>>) {
  if (![...words, ...Object.values(env)].some(hasBytes)) return {words, env}
  const coded = Object.entries(env).map(([name, value]) => [name, percentText(value)])
  return {words: [PERCENT_MARK, ...words.map(percentText)], env: Object.fromEntries(coded)}
}

/** The shell of the script that starts the command. */
function shellOf({spec: {shell}}: ProotTree): readonly string[] {
  return shell ?? ['/bin/sh']
}

/** Finds a user's ids in the guest's /etc/passwd and /etc/group. @throws As {@link runProotSession}. */
async function findIds(session: ProotSession, task: readonly string[]): Promise<string> {
  const {name, request, tree} = session
  const argv = [...prootWords(tree, '0:0'), ...shellOf(tree), '-c', 'exec 3>&1; exec "$@"', 'sh', ...task]
  const {stdout} = await capture(argv, {env: variables(session)})
  const line = stdout.trim()
  if (/^\d{1,10}:\d{1,10}$/.test(line)) return line
  throw sessionError(name, request, parseFailure(line) ?? {stage: 'user', errno: 2})
}

function variables({request, temporaryFolder}: ProotSession): Record<string, string> {
  const own = effectiveVariables(request).filter(({isOfImage}) => isOfImage !== true)
  return {...Object.fromEntries(own.map(({name, value}) => [name, value])), PROOT_TMP_DIR: temporaryFolder}
}

/** Returns the last one of each name. */
function effectiveVariables({variables: all}: SessionRequest): SessionVariable[] {
  return [...new Map(all.map((variable) => [variable.name, variable])).values()]
}

/** Returns the target for signals: proot ignores signals, so they go to the command, a child of the shell that proot runs. */
function commandOf(child: ChildProcess): Pick<ChildProcess, 'kill'> {
  return {
    kill(signal) {
      const shells = childrenOf(child.pid)
      const commands = shells.flatMap(childrenOf)
      for (const pid of commands.length > 0 ? commands : shells) {
        try {
          process.kill(pid, signal)
        } catch {
          // The process has ended already.
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

/** Returns the status line of the end; empty when proot and its processes ended without one. */
async function lastWord(child: ChildProcess, onStarted: ProotSession['onStarted']): Promise<string> {
  const pipe = pipeOf(child, ProotFd.status)
  try {
    for await (const line of createInterface({input: pipe})) {
      if (line !== 'started') return line
      onStarted?.()
    }
    return ''
  } finally {
    pipe.destroy()
  }
}

export type ProotTree = {
  /** Absolute path of proot(1). */
  readonly program: string
  /** `root` is a folder of the host. */
  readonly spec: Pick<SandboxSpec, 'root' | 'mounts' | 'shell'>
  /** Folders and files of the host that the session shares; proot can't make them read-only. */
  readonly volumes: readonly Volume[]
}

/**
 * Returns an argv prefix for a command that sees a tree as its `/`: proot traces it and rewrites paths and ids in its system calls.
 *
 * @param ids - `UID:GID` that the command's system calls return.
 * @see proot(1): --verbose=-1 prints errors only
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

/** Binds the host's /proc and /dev; proot can't mount, so other mounts are omitted. */
function bindOf(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [mount.from === mount.at ? `--bind=${mount.at}` : `--bind=${mount.from}:${mount.at}`]
    case 'dev':
    case 'proc':
      return [`--bind=${mount.at}`]
    case 'folder':
    case 'tmpfs':
    case 'mqueue':
    case 'empty':
    case 'overlay':
      return []
  }
}

/** Numbers of the descriptors that templates/guest/proot-session.sh inherits, and proot keeps open. */
const ProotFd = {status: 3, lock: 4, liveness: 5, filter: 6} as const

const POLL_MS = 20

/**
 * Lists the processes of one environment that proot runs, oldest first.
 *
 * @param lockPath - The environment's lock, which each of its proot processes has open.
 */
export function listProotProcesses(lockPath: string): GuestProcess[] {
  const own = tracees((tracer) => hasLock(tracer, lockPath))
  return describeProcesses(own).sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
}

/**
 * Ends the processes of an environment that proot runs. Never kills proot: its processes would see the host's files without their
 * tracer. proot ends with the last of them.
 *
 * @param options.graceMs - Time that services have to end by themselves.
 */
export function stopProotProcesses(lockPath: string, options: {graceMs: number}): Promise<void> {
  return stopTracees((tracer) => hasLock(tracer, lockPath), options)
}

/** As {@link stopProotProcesses}, for the processes of one proot. */
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
      // The process has ended already.
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

/** Returns the pid of a process's tracer; 0 without one. @see proc_pid_status(5) */
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
