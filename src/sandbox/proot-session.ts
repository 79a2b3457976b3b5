import type {ChildProcess} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {createInterface} from 'node:readline'
import type {DebArchitecture} from '../host/architecture.js'
import type {Lock} from '../host/flock.js'
import {templateText} from '../host/paths.js'
import {capture, ended, pipeOf, start, started} from '../host/process.js'
import {systemCalls} from '../host/system-calls.js'
import {type ProotTree, prootWords} from './engines/proot.js'
import {sessionFailedError} from './errors.js'
import {ProotFd} from './proot-descriptors.js'
import {stopProot} from './proot-processes.js'
import {buildFilter} from './seccomp/filter.js'
import {PROOT_SETS} from './seccomp/filter-sets.js'
import type {SessionRequest} from './session-arguments.js'
import {parseFailure, sessionError} from './session-failure.js'
import {forwardSignals} from './signals.js'

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
