import type {ChildProcess} from 'node:child_process'
import {closeSync, constants, openSync} from 'node:fs'
import type {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import {isatty} from 'node:tty'
import {getSystemErrorMap} from 'node:util'
import type {EnvsError} from '../errors.js'
import {type CheckId, seeChecks} from '../host/check.js'
import type {Lock} from '../host/locks.js'
import {rememberTerminal} from '../host/proc.js'
import {ended, pipeOf, start} from '../host/process.js'
import {type AnchorPlan, ensureAnchor} from './anchor.js'
import {type Anchor, anchorFiles, readLiveAnchor} from './anchor-state.js'
import {GUEST_PATH} from './constants.js'
import {commandNotExecutableError, commandNotFoundError, sessionFailedError} from './errors.js'
import {type JoinPlan, joinPlanText, keepJoinPlan} from './join-plan.js'
import {SessionFd, type SessionPlace, type SessionRequest, sessionCommand} from './session-options.js'

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

/** Where the program of a session gave up, and on which errno. */
export type SessionFailure = {readonly stage: string; readonly errno: number}

const ENOENT = 2

/** Reads what keeps a command from running; undefined where nothing of that kind was told. */
export function parseFailure(text: string): SessionFailure | undefined {
  const {stage, errno} = /^failed (?<stage>[a-z-]+) (?<errno>\d+)$/m.exec(text)?.groups ?? {}
  return stage === undefined || errno === undefined ? undefined : {stage, errno: Number(errno)}
}

/**
 * Reads the status pipe of a session's program: undefined when it says that the command was started. Where it says nothing, the
 * environment has ended under it, and nothing has run.
 */
function readStart(text: string): SessionFailure | undefined {
  return parseFailure(text) ?? (text === 'started\n' ? undefined : {stage: 'unstarted', errno: 0})
}

/** As env(1) ends: 127 for a command that is not there, 126 for another that can't be executed. */
function notExecuted(name: string, command: string, {isMissing}: {isMissing: boolean}): EnvsError {
  const kind = isMissing ? commandNotFoundError : commandNotExecutableError
  const suggestions = command.startsWith('-')
    ? ['Options of envs go before the name of the environment: all words after the name are the command.']
    : []
  return kind({command, name}, {suggestions})
}

/** What the user is told of a failure that a second try would not mend. */
export function sessionError(
  name: string,
  request: SessionRequest,
  {stage, errno}: SessionFailure,
): EnvsError {
  const reason = describeErrno(errno)
  const targets = request.volumes.map(({target}) => target).join(', ')
  const sources = request.volumes.map(({source}) => source).join(', ')
  switch (stage) {
    case 'exec':
      return notExecuted(name, request.command[0] ?? 'the login shell', {isMissing: errno === ENOENT})
    case 'workdir':
      return sessionFailedError(
        {name, reason: `could not enter the folder "${request.workingFolder ?? '/'}": ${reason}`},
        {suggestions: ['Give a folder that exists in the environment, or none for the home folder.']},
      )
    case 'user':
    case 'group':
      return sessionFailedError(
        {name, reason: `it has no ${stage} "${request.user}"`},
        {
          suggestions: [
            `See the ones that exist: envs run ${name} -- cat /etc/${stage === 'user' ? 'passwd' : 'group'}`,
          ],
        },
      )
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return sessionFailedError(
        {name, reason: `${STREAMS[stage]} is a folder, which a session cannot take: ${reason}`},
        {suggestions: ['Redirect it to a file, a pipe or /dev/null. To share a folder: --volume']},
      )
    case 'terminal':
      return sessionFailedError(
        {name, reason: `could not allocate a terminal: ${reason}`},
        {
          suggestions: [
            'See whether all terminals of this host are in use: cat /proc/sys/kernel/pty/nr /proc/sys/kernel/pty/max',
            `Or run the command without a terminal: envs run ${name} -- COMMAND </dev/null 2>&1 | cat`,
          ],
        },
      )
    case 'volume-source':
      return sessionFailedError(
        {name, reason: `could not share "${sources}": ${reason}`},
        {suggestions: ['Share a folder or file that you may read.']},
      )
    case 'volume-target':
      return sessionFailedError(
        {name, reason: `could not mount on "${targets}": ${reason}`},
        {suggestions: ['Choose a target that does not exist yet, or a folder.']},
      )
    case 'volume-read-only':
      return sessionFailedError(
        {name, reason: `this kernel cannot share a folder read-only: ${reason}`},
        {suggestions: ['Use Linux 5.12 or newer, or share the folder writable: leave :ro out.']},
      )
    default:
      return sessionFailedError(
        {name, reason: `step ${stage} failed: ${reason}`},
        {suggestions: [seeChecks(...checksOf(stage))]},
      )
  }
}

const STREAMS = {stdin: 'standard input', stdout: 'standard output', stderr: 'standard error'} as const

/** What the doctor looks at that a stage of a session depends on. */
function checksOf(stage: string): readonly CheckId[] {
  if (stage.startsWith('join-') || stage === 'volume-namespace') return ['user-namespaces', 'apparmor']
  if (stage === 'filter') return ['kernel']
  if (stage === 'become') return ['subordinate-ids', 'apparmor']
  return ['engine']
}

function describeErrno(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`
}

/** Sent to one process by another, so meant for the guest's command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const

/** A terminal sends these to every process in its foreground, the guest's command among them. */
const FROM_A_TERMINAL = ['SIGINT', 'SIGQUIT'] as const

/**
 * Passes signals on to a session and keeps this process alive under Ctrl-C, until the returned function is called.
 *
 * @param options.interrupts - Whether those of a terminal must be passed on too, since it does not bring them to the guest.
 */
export function forwardSignals(
  child: Pick<ChildProcess, 'kill'>,
  {interrupts}: {interrupts: boolean},
): () => void {
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  const onInterrupt = interrupts ? forward : () => {}
  const handlers: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ...FORWARDED.map((signal) => [signal, forward] as const),
    ...FROM_A_TERMINAL.map((signal) => [signal, onInterrupt] as const),
    // A terminal that is standard input stops nobody by itself: what relays it stops this process with all of the job.
    ...(interrupts && !isatty(0) ? [['SIGTSTP', stopBoth] as const] : []),
  ]
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }

  function stopBoth(signal: NodeJS.Signals): void {
    forward(signal)
    process.kill(process.pid, 'SIGSTOP')
  }
}
