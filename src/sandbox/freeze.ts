import {createInterface} from 'node:readline'
import {setTimeout as sleep} from 'node:timers/promises'
import {takeLock} from '../host/locks.js'
import {ended, pipeOf, start} from '../host/process.js'
import {type Anchor, anchorFiles} from './anchor-state.js'
import {type Member, Members, type Thread} from './members.js'
import {freezeCommand, type SignalSender} from './processes.js'

/** Longest that processes may take to stand still; the kernel needs microseconds. */
const DEADLINE_MS = 5000
/** What waits in the kernel for so long runs no code of its own: a parent waits for its stopped child of vfork(2). */
const UNINTERRUPTIBLE_AFTER_MS = 300
const POLL_MS = 2
/** How often is looked whether somebody runs, so that what was let go on can't hold up the work for ever. */
const WATCH_MS = 250

export type Frozen<T> =
  | {readonly isFrozen: true; readonly value: T; readonly frozenMs: number}
  /**
   * Nothing that was done is of one moment. `restless`: these could not be stopped; `woken`: they were, and ran meanwhile,
   * or came, or ended.
   */
  | {readonly isFrozen: false; readonly why: 'restless' | 'woken'; readonly pids: readonly number[]}

/**
 * Does something while every process of an environment is stopped, its first one apart, which only waits.
 *
 * Another process sends the signals, and lets everything go on: also when this process is killed. What was stopped before
 * stays so. A guest can still have itself woken, by a timer that sends CONT: each thread's count of switches tells afterwards
 * that it ran.
 *
 * @param work - Its signal is aborted when somebody runs; what it throws then counts for nothing.
 * @throws What `work` throws; everything goes on by then.
 * @see kill(2): -1 reaches all of a pid namespace at one moment, its first process and the sender apart.
 */
export async function whileFrozen<T>(
  anchor: Anchor,
  sender: SignalSender,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Frozen<T>> {
  const freezer = startFreezer(sender, anchor)
  try {
    const members = new Members(anchor, freezer.hostPids)
    const stopped = (await members.list()).filter(isStopped)
    const kept = stopped.flatMap(({threads}) => threads.map(({guestId}) => guestId))
    await holdDownwards(members, freezer)
    if (!(await freezer.stop(kept))) return {isFrozen: false, why: 'restless', pids: []}
    const begun = performance.now()
    const {still, restless} = await waitUntilStill(members)
    planResumption(freezer, await members.list(), stopped)
    if (restless.length > 0) return {isFrozen: false, why: 'restless', pids: restless}
    const done = await whileStill(members, still, work)
    if (done.isFrozen) {
      await freezer.close()
      return {...done, frozenMs: performance.now() - begun}
    }
    // Who came meanwhile stood still for no moment, and may have been stopped by somebody else.
    planResumption(freezer, await members.list(), stopped)
    return done
  } finally {
    await freezer.close()
  }
}

/**
 * Stops parents before their children: a shell that sees one of its jobs stop takes it for one that was stopped by Ctrl-Z, and
 * would have it in the background when all go on.
 *
 * What can't be stopped so, in the time there is, the stop of all is to stop.
 */
async function holdDownwards(members: Members, freezer: Freezer): Promise<void> {
  const begun = Date.now()
  const held = new Set<number>()
  while (Date.now() - begun < DEADLINE_MS) {
    const all = (await members.list()).filter(({threads}) => threads.length > 0)
    const byPid = new Map(all.map((member) => [member.pid, member]))
    const moving = all.filter((member) => !hasStopped(member))
    if (moving.length === 0) return
    // A parent in the kernel waits for a child of vfork(2), which has to be stopped before it.
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

/** Each thread of it stands still, or waits for its tracer. */
function hasStopped({threads}: Member): boolean {
  return threads.every(({state}) => /[tT]/.test(state))
}

/** Children go on before their parents, which would take them for stopped jobs. */
function planResumption(freezer: Freezer, members: readonly Member[], stopped: readonly Member[]): void {
  const before = new Map(stopped.map((member) => [member.pid, new Map(switchesOf(member))]))
  // One that has run since had been let go on by somebody before all were stopped.
  const isKept = (member: Member) =>
    isStopped(member) &&
    switchesOf(member).every(([id, switches]) => before.get(member.pid)?.get(id) === switches)
  freezer.planResumption(members.filter((member) => !isKept(member)).map(({guestPid}) => guestPid))
}

/** What each thread had run when all stood still, by process. */
type Stillness = ReadonlyMap<number, ReadonlyMap<number, number>>

async function waitUntilStill(members: Members): Promise<{still: Stillness; restless: number[]}> {
  const begun = Date.now()
  let previous: Stillness = new Map()
  for (;;) {
    const all = await members.list()
    const waitedMs = Date.now() - begun
    const mayWait = waitedMs >= UNINTERRUPTIBLE_AFTER_MS
    const first = members.first()
    const moving = [
      ...all.filter(({threads}) => !threads.every((thread) => isStill(thread, {mayWait}))),
      ...[first].filter(({threads}) => threads.some(({state}) => state === 'R')),
    ]
    const still = stillness([...all, first])
    // A thread counts as stopped shortly before it leaves its processor, which is counted in turn.
    const restless = [...new Set([...moving.map(({pid}) => pid), ...differences(previous, still)])]
    if (restless.length === 0) return {still, restless}
    if (waitedMs > DEADLINE_MS) return {still, restless}
    previous = still
    await sleep(POLL_MS)
  }
}

async function whileStill<T>(
  members: Members,
  still: Stillness,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<{isFrozen: true; value: T} | {isFrozen: false; why: 'woken'; pids: number[]}> {
  const woken = async () => differences(still, stillness([...(await members.list()), members.first()]))
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
    // What stopped itself a moment ago has left its processor by then, which is counted.
    await sleep(POLL_MS)
    const late = await woken()
    return late.length > 0 ? {isFrozen: false, why: 'woken', pids: late} : {isFrozen: true, value: done.value}
  }
}

function stillness(members: readonly Member[]): Stillness {
  const present = members.filter(({threads}) => threads.length > 0)
  return new Map(present.map((member) => [member.pid, new Map(switchesOf(member))]))
}

/** Processes with a thread that ran, came or went between the two. */
function differences(before: Stillness, after: Stillness): number[] {
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

/** One that is traced is not: it would take the signal when its tracer lets it go on. */
function isStopped({threads}: Member): boolean {
  return threads.length > 0 && threads.every(({state}) => state === 'T')
}

/** Stopped, or in the kernel. */
function isStill({state}: Thread, {mayWait}: {mayWait: boolean}): boolean {
  return /[tT]/.test(state) || (mayWait && state === 'D')
}

/**
 * The process that stops all of an environment and lets it go on when it is closed: also when this process is killed.
 *
 * @see templates/host/signal-all.pl
 */
export type Freezer = {
  /** The host's ids of processes with these ids in the guest, in that order; 0 where there is none. */
  hostPids(guestPids: readonly number[]): Promise<number[]>
  /** Stops these. @returns Whether that could be done. */
  hold(guestPids: readonly number[]): Promise<boolean>
  /**
   * Stops all at one moment, the environment's first process apart.
   *
   * @param kept - Threads that were stopped before, with their ids in the guest: they stay so.
   * @returns Whether that could be done.
   */
  stop(kept: readonly number[]): Promise<boolean>
  /** Who is to go on at the end, in this order. Without it, all but the kept are. */
  planResumption(guestPids: readonly number[]): void
  /** Settles when they go on. */
  close(): Promise<void>
}

export function startFreezer(sender: SignalSender, anchor: Anchor): Freezer {
  const child = start(freezeCommand(sender, anchor), {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    stdio: ['pipe', 'pipe', 'ignore'],
    // A group of its own: Ctrl-C at the terminal must not reach who is to let all go on.
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
    planResumption: (guestPids) => tell('resume', guestPids),
    close: async () => {
      input.end()
      await exit
    },
  }
}

/** Longer than the program of a session takes to come in; it holds the gate from before its first look at the guest's files. */
const WAIT_MS = 5000

/**
 * Does something while no session can begin: one that comes is held back until then, before it is in the guest.
 *
 * The lock is on the FIFO that every session has open, as templates/host/session.pl has it.
 *
 * @returns undefined when somebody was coming in all the time; nothing was done then.
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
