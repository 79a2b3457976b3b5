import {closeSync, constants, openSync} from 'node:fs'
import type {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Lock} from '../host/flock.js'
import {ended, pipeOf, start} from '../host/process.js'
import {rememberTerminal} from '../host/terminal.js'
import {ensureAnchor} from './anchor.js'
import type {AnchorPlan} from './anchor-start.js'
import {type Anchor, anchorFiles, readLiveAnchor} from './anchor-state.js'
import {sessionFailedError} from './errors.js'
import {GUEST_PATH} from './guest-path.js'
import {type JoinPlan, joinPlanText, keepJoinPlan} from './join-plan.js'
import {SessionFd, type SessionPlace, sessionCommand} from './session-arguments.js'
import {readStart, type SessionFailure, sessionError} from './session-failure.js'
import {forwardSignals} from './signals.js'

export type SessionOptions = {
  readonly plan: JoinPlan
  /** For sessions that ask for nothing but another command; undefined where this one is not of their kind. */
  readonly keptPlan: JoinPlan | undefined
  /** The environment's lock, open but not yet taken: the session takes it shared, for as long as it lives. */
  readonly lock: Lock
  /** How to start the environment; asked for only when it is down, with the lock held and that of its start. */
  readonly planAnchor: () => Promise<AnchorPlan>
  readonly runFolder: string
  readonly name: string
  /** Takes the lock shared, or throws the error that says who holds it. */
  readonly waitForLock: () => Promise<void>
}

/** A guest that stops its own first process over and over can't keep a caller here for ever. */
const MAX_ATTEMPTS = 5
/** How long a first process may take to go. */
const MOST_END_MS = 3000
const POLL_MS = 10

/**
 * Runs one command, or a login shell, in the environment and waits for it.
 *
 * @returns The guest's own exit status, 128+n for signal n.
 * @throws {@link sessionFailedError} Or another EnvsError, when the command did not start.
 */
export async function runSession(options: SessionOptions): Promise<number> {
  let last: SessionFailure | undefined
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const anchor = await readyEnvironment(options)
    const result = await join(options, {
      ...options.plan.place,
      anchor,
      parentPid: process.pid,
    })
    if (typeof result === 'number') return result
    last = result
    if (result.stage === 'lock') await options.waitForLock()
    else if (isAnchorGone(result)) await untilGone(options.runFolder, anchor)
    else throw sessionError(options.name, options.plan.request, result)
  }
  // It stands, and can't be joined: what governs namespaces forbids it.
  if (last?.stage.startsWith('join-')) throw sessionError(options.name, options.plan.request, last)
  throw sessionFailedError({
    name: options.name,
    reason: `the environment stopped ${MAX_ATTEMPTS} times while the session joined it (${last?.stage ?? 'start'})`,
  })
}

/** Starts the environment if it is down. @returns How to join it, for templates/host/join.pl. @throws As runSession. */
export async function planJoin(options: SessionOptions): Promise<string> {
  return joinPlanText(options.plan, await readyEnvironment(options))
}

async function readyEnvironment(options: SessionOptions): Promise<Anchor> {
  const anchor = readLiveAnchor(options.runFolder) ?? (await startEnvironment(options))
  if (options.keptPlan !== undefined) await keepJoinPlan(options.runFolder, options.keptPlan, anchor)
  return anchor
}

async function startEnvironment(options: SessionOptions) {
  await options.waitForLock()
  return ensureAnchor(options, options.planAnchor)
}

/** A first process that can't be joined any more may still be there for a while, longer on a busy machine. */
async function untilGone(runFolder: string, {pid, startTime}: Anchor): Promise<void> {
  const deadline = Date.now() + MOST_END_MS
  const isThere = () => {
    const live = readLiveAnchor(runFolder)
    return live?.pid === pid && live.startTime === startTime
  }
  while (isThere() && Date.now() < deadline) await sleep(POLL_MS)
}

/** The environment ended between the look at its state and the join: it is started again. */
function isAnchorGone({stage}: SessionFailure): boolean {
  return ['anchor', 'hold', 'fork', 'leaving', 'unstarted'].includes(stage) || stage.startsWith('join-')
}

async function join(options: SessionOptions, place: SessionPlace): Promise<number | SessionFailure> {
  const hold = openHold(anchorFiles(options.runFolder).hold)
  if (hold === undefined) return {stage: 'hold', errno: 0}
  const stdio: ('inherit' | 'pipe' | number)[] = ['inherit', 'inherit', 'inherit']
  stdio[SessionFd.status] = 'pipe'
  stdio[SessionFd.lock] = options.lock.fd
  stdio[SessionFd.hold] = hold
  stdio[SessionFd.filter] = 'pipe'
  const terminal = await rememberTerminal()
  try {
    const child = start(sessionCommand(place, options.plan.request), {env: {PATH: GUEST_PATH}, stdio})
    // Its command is in a session of its own: no signal of the terminal reaches it but by this process.
    const stopForwarding = forwardSignals(child, {interrupts: true})
    const filterPipe = pipeOf(child, SessionFd.filter)
    // A session that gives up early closes the pipe unread; its status line tells why.
    filterPipe.on('error', () => {})
    filterPipe.end(options.plan.filter)
    try {
      const [line, exit] = await Promise.all([readAll(pipeOf(child, SessionFd.status)), ended(child)])
      // It was killed, and with it perhaps what relays the terminal.
      if (exit.signal !== null) await terminal?.restore()
      // An interruption was meant for all, however early it came.
      const isInterrupted = exit.signal !== null && exit.signal !== 'SIGKILL'
      return isInterrupted ? exit.status : (readStart(line) ?? exit.status)
    } finally {
      stopForwarding()
    }
  } finally {
    closeSync(hold)
  }
}

function openHold(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch {
    return undefined
  }
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: string[] = []
  for await (const chunk of stream) chunks.push(String(chunk))
  return chunks.join('')
}
