import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {takeLock} from '../host/locks.js'
import {ended, pipeOf, start} from '../host/process.js'
import {type Anchor, anchorFiles} from './anchor-state.js'
import {isEachIn, isGroupFrozen} from './init/frozen-group.js'
import {type Member, Members, type Thread} from './members.js'
import {freezeCommand, type SignalSender} from './processes.js'

/** Limit for stopping all processes; the kernel needs microseconds. */
const DEADLINE_MS = 5000
/** A thread that is uninterruptible for this long counts as stopped: a parent waits for its stopped child of vfork(2). */
const UNINTERRUPTIBLE_AFTER_MS = 300
const POLL_MS = 2
/** Interval of the checks for running processes: a process that another one continued must not block the work for ever. */
const WATCH_MS = 250

export type Frozen<T> =
  | {readonly isFrozen: true; readonly value: T; readonly frozenMs: number}
  /**
   * The result is not of one moment. `running`: these processes could not be stopped; `woken`: these ran, began or ended while
   * the work was done.
   */
  | {readonly isFrozen: false; readonly why: 'running' | 'woken'; readonly pids: readonly number[]}

/**
 * Runs `work` while all processes of an environment are stopped, except its first one, which only waits.
 *
 * The freezer, another process, stops the processes and continues them, even when this process is killed. Processes that were
 * stopped before stay stopped. A guest can continue its processes, by a timer that sends CONT: the count of context switches of
 * each thread shows afterwards whether it ran.
 *
 * @param work - Its signal is aborted when a process runs; errors that it throws after that are ignored.
 * @throws The error of `work`, after the processes were continued.
 * @see kill(2): pid -1 reaches all processes of a pid namespace at once, except its first process and the sender.
 */
export async function whileFrozen<T>(
  anchor: Anchor,
  sender: SignalSender,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Frozen<T>> {
  const freezer = startFreezer(sender, anchor)
  try {
    const members = new Members(anchor, freezer.hostPids)
    const byGroup = await whileGroupFrozen(anchor, {members, freezer}, work)
    if (byGroup !== undefined) return byGroup
    const stopped = (await members.list()).filter(isStopped)
    const kept = stopped.flatMap(({threads}) => threads.map(({guestId}) => guestId))
    await holdDownwards(members, freezer)
    if (!(await freezer.stop(kept))) return {isFrozen: false, why: 'running', pids: []}
    const begun = performance.now()
    const {counts, running} = await waitUntilStopped(members)
    planResumption(freezer, await members.list(), stopped)
    if (running.length > 0) return {isFrozen: false, why: 'running', pids: running}
    const done = await runWhileStopped(members, counts, work)
    if (done.isFrozen) {
      await freezer.close()
      return {...done, frozenMs: performance.now() - begun}
    }
    // Processes that began meanwhile were never frozen; another process may have stopped them.
    planResumption(freezer, await members.list(), stopped)
    return done
  } finally {
    await freezer.close()
  }
}

/**
 * Runs `work` while the control group of an environment is frozen, with its first process: nothing in it can run until this group,
 * which the guest can't reach, is thawed.
 *
 * @returns undefined where the environment has no such group, a process is outside of it, or the kernel could not freeze it in time.
 */
async function whileGroupFrozen<T>(
  anchor: Anchor,
  {members, freezer}: {readonly members: Members; readonly freezer: Freezer},
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Frozen<T> | undefined> {
  const {group} = anchor
  if (group === undefined || !isEachIn(anchor, await members.list())) return undefined
  if (!(await freezer.stopGroup())) return undefined
  const begun = performance.now()
  const value = await work(new AbortController().signal)
  const isFrozen = isGroupFrozen(group)
  await freezer.close()
  return isFrozen
    ? {isFrozen, value, frozenMs: performance.now() - begun}
    : {isFrozen, why: 'woken', pids: []}
}

/**
 * Stops parents before their children: a shell that sees a job stop assumes Ctrl-Z, and would keep the job in the background
 * when all processes continue.
 *
 * Gives up at the deadline: the following stop of all processes reaches the rest.
 */
async function holdDownwards(members: Members, freezer: Freezer): Promise<void> {
  const begun = Date.now()
  const held = new Set<number>()
  while (Date.now() - begun < DEADLINE_MS) {
    const all = (await members.list()).filter(({threads}) => threads.length > 0)
    const byPid = new Map(all.map((member) => [member.pid, member]))
    const moving = all.filter((member) => !hasStopped(member))
    if (moving.length === 0) return
    // An uninterruptible parent waits for its child of vfork(2): stop the child first.
    const isNext = ({parent}: Member) => {
      const above = byPid.get(parent)
      return above === undefined || hasStopped(above) || above.threads.some(({state}) => state === 'D')
    }
    const next = moving.filter((member) => !held.has(member.pid) && isNext(member))
    if (next.length > 0 && !(await freezer.hold(next.map(({guestPid}) => guestPid)))) return
    for (const {pid} of next) held.add(pid)
    if (next.length === 0 && moving.every(({threads}) => threads.some(({state}) => state === 'D'))) return
    await sleep(POLL_MS)
  }
}

/** Returns whether each thread is stopped, or waits for its tracer. */
function hasStopped({threads}: Member): boolean {
  return threads.every(({state}) => /[tT]/.test(state))
}

/** Plans to continue children before their parents: a shell would take a stopped child for a stopped job. */
function planResumption(freezer: Freezer, members: readonly Member[], stopped: readonly Member[]): void {
  const before = new Map(stopped.map((member) => [member.pid, new Map(switchesOf(member))]))
  // A process that ran since was continued by another process before the freezer stopped all.
  const isKept = (member: Member) =>
    isStopped(member) &&
    switchesOf(member).every(([id, switches]) => before.get(member.pid)?.get(id) === switches)
  freezer.planResumption(members.filter((member) => !isKept(member)).map(({guestPid}) => guestPid))
}

/** The count of context switches of each thread, by process. */
type SwitchCounts = ReadonlyMap<number, ReadonlyMap<number, number>>

async function waitUntilStopped(members: Members): Promise<{counts: SwitchCounts; running: number[]}> {
  const begun = Date.now()
  let previous: SwitchCounts = new Map()
  for (;;) {
    const all = await members.list()
    const waitedMs = Date.now() - begun
    const mayWait = waitedMs >= UNINTERRUPTIBLE_AFTER_MS
    const first = members.first()
    const moving = [
      ...all.filter(({threads}) => !threads.every((thread) => isThreadStopped(thread, {mayWait}))),
      ...[first].filter(({threads}) => threads.some(({state}) => state === 'R')),
    ]
    const counts = countSwitches([...all, first])
    // A thread's state is T shortly before it leaves its processor, which counts as one more switch: compare two rounds.
    const running = [...new Set([...moving.map(({pid}) => pid), ...differences(previous, counts)])]
    if (running.length === 0) return {counts, running}
    if (waitedMs > DEADLINE_MS) return {counts, running}
    previous = counts
    await sleep(POLL_MS)
  }
}

async function runWhileStopped<T>(
  members: Members,
  counts: SwitchCounts,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<{isFrozen: true; value: T} | {isFrozen: false; why: 'woken'; pids: number[]}> {
  const woken = async () => differences(counts, countSwitches([...(await members.list()), members.first()]))
  const controller = new AbortController()
  const outcome = work(controller.signal).then(
    (value) => ({value}),
    (error: unknown) => ({error}),
  )
  for (;;) {
    const done = await Promise.race([outcome, sleep(WATCH_MS, undefined, {ref: false})])
    const pids = await woken()
    if (pids.length > 0) {
      controller.abort()
      await outcome
      return {isFrozen: false, why: 'woken', pids}
    }
    if (done === undefined) continue
    if ('error' in done) throw done.error
    // A process that stopped itself a moment ago leaves its processor in this time, which counts as a switch.
    await sleep(POLL_MS)
    const late = await woken()
    return late.length > 0 ? {isFrozen: false, why: 'woken', pids: late} : {isFrozen: true, value: done.value}
  }
}

function countSwitches(members: readonly Member[]): SwitchCounts {
  const present = members.filter(({threads}) => threads.length > 0)
  return new Map(present.map((member) => [member.pid, new Map(switchesOf(member))]))
}

/** Returns processes with a thread that ran, began or ended between the two counts. */
function differences(before: SwitchCounts, after: SwitchCounts): number[] {
  const pids = new Set([...after.keys(), ...before.keys()])
  return [...pids].filter((pid) => !isSame(before.get(pid), after.get(pid)))
}

function isSame(
  before: ReadonlyMap<number, number> = new Map(),
  after: ReadonlyMap<number, number> = new Map(),
) {
  return before.size === after.size && [...before].every(([id, switches]) => after.get(id) === switches)
}

function switchesOf({threads}: Member): [number, number][] {
  return threads.map(({id, switches}) => [id, switches])
}

/** Returns whether SIGSTOP has stopped the process. A traced process receives the signal only when its tracer continues it. */
function isStopped({threads}: Member): boolean {
  return threads.length > 0 && threads.every(({state}) => state === 'T')
}

/** Returns whether a thread is stopped, or, if `mayWait`, uninterruptible. */
function isThreadStopped({state}: Thread, {mayWait}: {mayWait: boolean}): boolean {
  return /[tT]/.test(state) || (mayWait && state === 'D')
}

/**
 * The process that stops the processes of an environment. It continues them when it is closed or this process is killed.
 *
 * @see templates/host/signal-all.pl
 */
export type Freezer = {
  /** Translates pids of the guest to pids of the host, in the same order; 0 for a missing process. */
  hostPids(guestPids: readonly number[]): Promise<number[]>
  /** Stops these processes. @returns Whether it succeeded. */
  hold(guestPids: readonly number[]): Promise<boolean>
  /**
   * Stops all processes at once, except the environment's first one.
   *
   * @param kept - Thread ids in the guest that were stopped before: they are not continued.
   * @returns Whether it succeeded.
   */
  stop(kept: readonly number[]): Promise<boolean>
  /** Freezes the environment's control group. @returns Whether it succeeded. */
  stopGroup(): Promise<boolean>
  /** Sets the processes to continue at the end, in this order. By default all continue, except the kept ones. */
  planResumption(guestPids: readonly number[]): void
  /** Continues the processes. */
  close(): Promise<void>
}

/** Starts the freezer of an environment, which stops no process yet. */
export function startFreezer(sender: SignalSender, anchor: Anchor): Freezer {
  const child = start(freezeCommand(sender, anchor), {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    stdio: ['pipe', 'pipe', 'ignore'],
    // A process group of its own: Ctrl-C at the terminal must not end the freezer.
    detached: true,
  })
  const exit = ended(child)
  exit.catch(() => {})
  const input = pipeOf(child, 0)
  input.on('error', () => {})
  const answers = createInterface({input: pipeOf(child, 1)})[Symbol.asyncIterator]()
  const tell = (word: string, ids: readonly number[]) => void input.write(`${[word, ...ids].join(' ')}\n`)
  const ask = async (word: string, ids: readonly number[]): Promise<string> => {
    tell(word, ids)
    const answer = await answers.next()
    return answer.done === true ? '' : answer.value
  }
  return {
    hostPids: async (guestPids) => {
      const [, ...pids] = (await ask('which', guestPids)).split(' ').map(Number)
      return guestPids.map((_, index) => pids[index] ?? 0)
    },
    hold: async (guestPids) => (await ask('hold', guestPids)) === 'held',
    stop: async (kept) => (await ask('stop', kept)) === 'stopped',
    stopGroup: async () => (await ask('group', [])) === 'stopped',
    planResumption: (guestPids) => tell('resume', guestPids),
    close: async () => {
      input.end()
      await exit
    },
  }
}

/** Longer than a session takes to join. It holds the lock from before it first reads the guest's files. */
const WAIT_MS = 5000

/**
 * Runs `work` while no session can begin: a new session waits before it joins the guest.
 *
 * The lock is on the FIFO that each session opens; templates/host/session.pl takes it too.
 *
 * @returns undefined when sessions held the lock all the time; `work` was not called then.
 */
export async function behindClosedGate<T>(
  runFolder: string,
  work: () => Promise<T>,
): Promise<{readonly value: T} | undefined> {
  const gate = await takeLock(anchorFiles(runFolder).hold, {mode: 'exclusive', waitMs: WAIT_MS})
  if (gate === undefined) return undefined
  try {
    return {value: await work()}
  } finally {
    gate.release()
  }
}
