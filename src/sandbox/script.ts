import {closeSync, constants, createWriteStream, openSync, rmSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {finished} from 'node:stream/promises'
import type {Lock} from '../host/locks.js'
import {pipeOf, start, started} from '../host/process.js'
import {makeFifos, startKeeper} from './anchor.js'
import {coverStrays, GUEST_PATH} from './constants.js'
import {type AnchorEngine, AnchorFd} from './engines/engine.js'
import {buildFilter} from './seccomp/filter.js'
import {type HeldNamespace, holdNamespace} from './second-namespace.js'
import type {SandboxSpec} from './spec.js'

export type LoneScript = {
  readonly spec: SandboxSpec
  readonly engine: AnchorEngine
  /** A folder of the host that the tree may be put together on. */
  readonly stage: string
  /**
   * Text of a shell script, the only program in namespaces of its own. It inherits a pipe at 4, to tell of itself line by
   * line, and one at 5 that ends when nobody waits for it any more, upon which it has to end everything.
   */
  readonly script: string
  /** Held until the last process of it is gone. */
  readonly lock: Lock
  /** Where standard output and error go. */
  readonly log: string
}

/** Where the kernel forbids one more namespace, the script runs without it: it is to need no network, not to be kept from it. */
const WITHOUT_NETWORK = 'if "$0" --net true 2>/dev/null; then exec "$0" --net -- "$@"; else exec "$@"; fi'

/** Returns an argv prefix for the setup of a sandbox that needs no network. @param unshare - Path of unshare(1). */
export function withoutNetwork(unshare: string): string[] {
  return ['/bin/sh', '-c', WITHOUT_NETWORK, unshare]
}

/**
 * Runs a script as root of a tree that nothing else runs in, and waits until everything of it is gone.
 *
 * @param onLine - Takes what it tells of itself: a hostile guest's word.
 * @throws {NodeJS.ErrnoException} When the engine can't be started. The signal's reason when it is aborted.
 */
export async function runLoneScript(
  wish: LoneScript,
  {onLine, signal}: {onLine: (line: string) => void; signal: AbortSignal},
): Promise<void> {
  signal.throwIfAborted()
  const {guest, prefix} = wish.spec.userNamespace
  const log = openSync(wish.log, 'wx', 0o600)
  const devNull = openSync('/dev/null', 'r+')
  const alive = await openAlive(join(dirname(wish.log), 'alive'))
  const namespace = guest === 'of-root' ? await holdNamespace(prefix) : undefined
  try {
    startKeeper({kind: 'script', liveness: wish.lock, aliveReader: alive.reader, devNull})
    await launch(wish, {log, devNull, alive: alive.writer, namespace, onLine, signal})
  } finally {
    namespace?.release()
    for (const fd of [alive.reader, alive.writer, devNull, log]) closeSync(fd)
  }
  signal.throwIfAborted()
}

/** Both ends of a pipe: Node makes none that another process can have. */
async function openAlive(path: string): Promise<{reader: number; writer: number}> {
  await makeFifos([path])
  const both = openSync(path, constants.O_RDWR)
  const ends = {reader: openSync(path, constants.O_RDONLY), writer: openSync(path, constants.O_WRONLY)}
  closeSync(both)
  rmSync(path)
  return ends
}

type Inheritance = {
  readonly alive: number
  readonly log: number
  readonly devNull: number
  readonly namespace: HeldNamespace | undefined
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

async function launch(
  {engine, spec, stage, script}: LoneScript,
  {log, devNull, alive, namespace, onLine, signal}: Inheritance,
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
  // A session of its own: Ctrl-C is ours to pass on, and ends it by the pipe.
  const child = start(command, {
    detached: true,
    cwd: '/',
    env: {PATH: GUEST_PATH},
    stdio: coverStrays(stdio, devNull),
  })
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await started(child)
  const hold = pipeOf(child, AnchorFd.looks)
  // What the guest prints goes through this process: a file would be its root's to open anew.
  const printed = createWriteStream('', {fd: log, autoClose: false})
  for (const fd of [1, 2]) pipeOf(child, fd).pipe(printed, {end: false})
  const stop = () => hold.destroy()
  const told = pipeOf(child, AnchorFd.ready)
  for (const pipe of [hold, told, pipeOf(child, AnchorFd.options), pipeOf(child, AnchorFd.filter)])
    pipe.on('error', () => {})
  signal.addEventListener('abort', stop)
  try {
    const words = engine.options(spec, stage)
    pipeOf(child, AnchorFd.options).end(words.map((option) => `${option}\0`).join(''))
    pipeOf(child, AnchorFd.filter).end(buildFilter(spec.architecture, spec.filterSets))
    for await (const line of createInterface({input: told})) onLine(line)
    await exit
    await Promise.all([1, 2].map((fd) => finished(pipeOf(child, fd), {writable: false})))
    await new Promise((resolve) => printed.end(resolve))
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}
