import {closeSync, constants, createWriteStream, openSync, rmSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {finished} from 'node:stream/promises'
import type {Lock} from '../host/locks.js'
import {endGroupOfFailed, pipeOf, start, started} from '../host/process.js'
import {makeFifos, startKeeper} from './anchor.js'
import {coverStrays, GUEST_PATH} from './constants.js'
import {type AnchorEngine, AnchorFd} from './engines/engine.js'
import {buildFilter} from './seccomp/filter.js'
import {type HeldNamespace, holdNamespace} from './second-namespace.js'
import type {SandboxSpec} from './spec.js'

/** A script that runs alone in a tree. */
export type LoneScript = {
  readonly spec: SandboxSpec
  readonly engine: AnchorEngine
  /** A folder of the host on which the engine may mount the tree. */
  readonly stage: string
  /**
   * Text of a shell script, the first program in namespaces of its own. It inherits a pipe as descriptor 4, for reports line by
   * line, and one as descriptor 5, which closes when the caller gives up: the script must end all processes then.
   */
  readonly script: string
  /** Held until the last process of the script has ended. */
  readonly lock: Lock
  /** Path of the file for standard output and standard error. */
  readonly log: string
}

/** Runs the script with the host's network when the kernel refuses another namespace: isolation from the network is optional. */
const WITHOUT_NETWORK = 'if "$0" --net true 2>/dev/null; then exec "$0" --net -- "$@"; else exec "$@"; fi'

/** Returns an argv prefix for the setup of a sandbox that needs no network. @param unshare - Path of unshare(1). */
export function withoutNetwork(unshare: string): string[] {
  return ['/bin/sh', '-c', WITHOUT_NETWORK, unshare]
}

/**
 * Runs a script as root of a tree in which nothing else runs, and waits until its last process has ended.
 *
 * @param options.onLine - Receives each report of the script: untrusted.
 * @throws {NodeJS.ErrnoException} When the engine can't be started. The signal's reason when it is aborted.
 */
export async function runLoneScript(
  script: LoneScript,
  {onLine, signal}: {onLine: (line: string) => void; signal: AbortSignal},
): Promise<void> {
  signal.throwIfAborted()
  const {guest, prefix} = script.spec.userNamespace
  const log = openSync(script.log, 'wx', 0o600)
  const devNull = openSync('/dev/null', 'r+')
  const alive = await openAlive(join(dirname(script.log), 'alive'))
  const namespace = guest === 'of-root' ? await holdNamespace(prefix) : undefined
  try {
    startKeeper({kind: 'script', liveness: script.lock, aliveReader: alive.reader, devNull})
    await launch(script, {log, devNull, alive: alive.writer, namespace, onLine, signal})
  } finally {
    namespace?.release()
    for (const fd of [alive.reader, alive.writer, devNull, log]) closeSync(fd)
  }
  signal.throwIfAborted()
}

/** Opens both ends of a FIFO: Node has no pipe(2) whose ends another process can inherit. */
async function openAlive(path: string): Promise<{reader: number; writer: number}> {
  await makeFifos([path])
  const both = openSync(path, constants.O_RDWR)
  const ends = {reader: openSync(path, constants.O_RDONLY), writer: openSync(path, constants.O_WRONLY)}
  closeSync(both)
  rmSync(path)
  return ends
}

type LaunchOptions = {
  readonly alive: number
  readonly log: number
  readonly devNull: number
  readonly namespace: HeldNamespace | undefined
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

async function launch(
  {engine, spec, stage, script}: LoneScript,
  {log, devNull, alive, namespace, onLine, signal}: LaunchOptions,
): Promise<void> {
  const command = await engine.command(spec, script)
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe']
  stdio[AnchorFd.info] = devNull
  stdio[AnchorFd.ready] = 'pipe'
  stdio[AnchorFd.looks] = 'pipe'
  stdio[AnchorFd.alive] = alive
  stdio[AnchorFd.options] = 'pipe'
  stdio[AnchorFd.filter] = 'pipe'
  stdio[AnchorFd.userNamespace] = namespace?.fd ?? devNull
  // In a process group of its own: this process handles Ctrl-C, and ends the script by closing the pipe.
  const child = start(command, {
    detached: true,
    cwd: '/',
    env: {PATH: GUEST_PATH},
    stdio: coverStrays(stdio, devNull),
  })
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  endGroupOfFailed(child)
  await started(child)
  const hold = pipeOf(child, AnchorFd.looks)
  // Copy the guest's output through this process: its root could open an inherited file again through /proc.
  const printed = createWriteStream('', {fd: log, autoClose: false})
  for (const fd of [1, 2]) pipeOf(child, fd).pipe(printed, {end: false})
  const stop = () => hold.destroy()
  const told = pipeOf(child, AnchorFd.ready)
  const [options, filter] = [pipeOf(child, AnchorFd.options), pipeOf(child, AnchorFd.filter)]
  for (const pipe of [hold, told, options, filter]) pipe.on('error', () => {})
  signal.addEventListener('abort', stop)
  try {
    const words = engine.options(spec, stage)
    options.end(words.map((option) => `${option}\0`).join(''))
    filter.end(buildFilter(spec.architecture, spec.filterSets))
    for await (const line of createInterface({input: told})) onLine(line)
    await exit
    await Promise.all([1, 2].map((fd) => finished(pipeOf(child, fd), {writable: false})))
    await new Promise((resolve) => printed.end(resolve))
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
    for (const pipe of [options, filter]) pipe.destroy()
  }
}
