import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {ended, pipeOf, start} from '../host/process.js'
import type {Anchor} from './anchor-state.js'
import {type SignalSender, signalCommand} from './guest-signals.js'

/** Longest that processes may take to stand still; the kernel needs microseconds. */
const DEADLINE_MS = 5000
/** What waits in the kernel for so long runs no code of its own: a parent waits for its stopped child of vfork(2). */
const UNINTERRUPTIBLE_AFTER_MS = 300
const POLL_MS = 2

export type Frozen<T> =
  | {readonly isFrozen: true; readonly value: T; readonly frozenMs: number}
  /** Host's ids of what did not stand still. */
  | {readonly isFrozen: false; readonly pids: readonly number[]}

/**
 * Does something while every process of an environment is stopped, its first one apart, which only waits.
 *
 * Another process sends the signals. It lets everything go on when its input ends: also when this process is killed. What
 * was stopped before stays so.
 *
 * @throws What `work` throws; everything goes on by then.
 * @see kill(2): -1 reaches all of a pid namespace at one moment, its first process and the sender apart.
 */
export async function whileFrozen<T>(
  anchor: Anchor,
  sender: SignalSender,
  work: () => Promise<T>,
): Promise<Frozen<T>> {
  const stoppedBefore = new Set(
    members(anchor)
      .filter(isStopped)
      .map(({pid}) => pid),
  )
  const child = start(signalCommand(sender, anchor, [{name: 'STOP'}]), {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    stdio: ['pipe', 'pipe', 'ignore'],
    // A group of its own: Ctrl-C at the terminal must not reach who is to let all go on.
    detached: true,
  })
  const exit = ended(child)
  const input = pipeOf(child, 0)
  input.on('error', () => {})
  try {
    if (!(await hasSpoken(child.stdout))) return {isFrozen: false, pids: []}
    const begun = performance.now()
    const restless = await waitUntilStill(anchor)
    const resumed = members(anchor).filter(({pid}) => !stoppedBefore.has(pid))
    // Children go on before their parents, which would take them for stopped jobs. Without a list, everything goes on.
    input.write(`${resumed.map(({guestPid}) => guestPid).join(' ')}\n`)
    if (restless.length > 0) return {isFrozen: false, pids: restless}
    const frozen = members(anchor).filter((member) => !isGone(member))
    const value = await work()
    const woken = frozen.filter((member) => !isStill(member) || isGone(member))
    const arrived = members(anchor).filter((member) => !isStill(member))
    // Somebody else let it go on, or it was killed: what was done meanwhile is not of one moment.
    if (woken.length + arrived.length > 0)
      return {isFrozen: false, pids: [...woken, ...arrived].map(({pid}) => pid)}
    input.end()
    await exit
    return {isFrozen: true, value, frozenMs: performance.now() - begun}
  } finally {
    input.end()
    await exit
  }
}

type Member = {
  readonly pid: number
  /** Its id in the guest's pid namespace. */
  readonly guestPid: number
}

/** Processes of the environment but for its first one, also those in pid namespaces below its own; youngest first. */
function members(anchor: Anchor): Member[] {
  const namespace = pidNamespace(anchor.pid)
  const depth = namespacePids(anchor.pid).length
  const found = new Map<number, Member>()
  const parents = new Map<number, number>()
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const pids = namespacePids(pid)
    const guestPid = pids[depth - 1]
    if (guestPid === undefined || pid === anchor.pid) continue
    parents.set(pid, parentOf(pid))
    if (pids.length > depth || pidNamespace(pid) === namespace) found.set(pid, {pid, guestPid})
  }
  return [...found.values()]
    .filter(({pid}) => pidNamespace(pid) === namespace || hasAncestorIn(pid, {parents, namespace}))
    .sort((a, b) => b.guestPid - a.guestPid)
}

type Family = {readonly parents: ReadonlyMap<number, number>; readonly namespace: string | undefined}

/** Another environment may have namespaces below its own, too. */
function hasAncestorIn(pid: number, {parents, namespace}: Family): boolean {
  let at = parents.get(pid)
  for (let steps = 0; at !== undefined && at > 1 && steps < parents.size; steps++) {
    if (pidNamespace(at) === namespace) return true
    at = parents.get(at) ?? parentOf(at)
  }
  return false
}

/** @returns Host's ids of those that do not stand still. */
async function waitUntilStill(anchor: Anchor): Promise<number[]> {
  const begun = Date.now()
  for (;;) {
    const moving = members(anchor).filter((member) => !isStopped(member))
    const waitedMs = Date.now() - begun
    const restless = moving.filter((member) => waitedMs < UNINTERRUPTIBLE_AFTER_MS || !isStill(member))
    if (restless.length === 0) return []
    if (waitedMs > DEADLINE_MS) return restless.map(({pid}) => pid)
    await sleep(POLL_MS)
  }
}

function isStopped({pid}: Member): boolean {
  return states(pid).every((state) => /[tTZX]/.test(state))
}

/** Stopped, or in the kernel. Where there is no thread any more it has gone on, and ended. */
function isStill({pid}: Member): boolean {
  const all = states(pid)
  return all.length > 0 && all.every((state) => /[tTZXD]/.test(state))
}

/** Has ended, and may be forgotten at any moment. */
function isGone({pid}: Member): boolean {
  return states(pid).every((state) => /[ZX]/.test(state))
}

/** Of each thread. @see proc_pid_stat(5): the state follows the name, which may have anything in it. */
function states(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((task) => {
      const text = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1')
      return text.slice(text.lastIndexOf(')') + 2).slice(0, 1)
    })
  } catch {
    return []
  }
}

/** Its id in each pid namespace, the host's first. @see proc_pid_status(5) NSpid */
function namespacePids(pid: number): number[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return (/^NSpid:\s+(.*)$/m.exec(status)?.[1] ?? '').split(/\s+/).map(Number)
  } catch {
    return []
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
  } catch {
    return 0
  }
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** Settles when the program has said something, or is gone. */
async function hasSpoken(stream: NodeJS.ReadableStream | null): Promise<boolean> {
  if (stream === null) return false
  for await (const _ of createInterface({input: stream})) return true
  return false
}
