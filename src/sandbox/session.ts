import type {ChildProcess} from 'node:child_process'
import {closeSync, constants, openSync, writeSync} from 'node:fs'
import type {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import {isatty} from 'node:tty'
import type {EnvsError} from '../errors.js'
import {bytesOfText} from '../host/argv/bytes.js'
import {formatCommandLine} from '../host/argv/command-line.js'
import {type NamedCheck, seeChecks} from '../host/check.js'
import {describeErrno, limitOfNumber} from '../host/errno.js'
import type {Lock} from '../host/locks.js'
import {requireRoom} from '../host/machine/limits.js'
import {rememberTerminal} from '../host/machine/proc.js'
import {ended, pipeOf, start} from '../host/process.js'
import {type AnchorPlan, ensureAnchor} from './anchor.js'
import {type Anchor, anchorFiles, readLiveAnchor, recordedInit} from './anchor-state.js'
import {GUEST_PATH} from './constants.js'
import {commandNotExecutableError, commandNotFoundError, sessionFailedError} from './errors.js'
import {untilBooted} from './init/boot-state.js'
import {type JoinPlan, joinPlanText, keepJoinPlan} from './join-plan.js'
import {SessionFd, type SessionPlace, type SessionRequest, sessionCommand} from './session-options.js'

export type SessionOptions = {
  readonly plan: JoinPlan
  /** A plan to write for later sessions that differ only in their command; undefined when this session has other options. */
  readonly keptPlan: JoinPlan | undefined
  /** The environment's lock, open but not taken: the session takes it shared, until it ends. */
  readonly lock: Lock
  /** Plans the start of the environment; called only when it is not running, under its lock and its liveness lock. */
  readonly planAnchor: () => Promise<AnchorPlan>
  /** Calls the work that starts the environment; may call it again after a failure, which left nothing running. */
  readonly whileStarting: (work: () => Promise<Anchor>) => Promise<Anchor>
  readonly runFolder: string
  readonly name: string
  /** Takes the lock shared. Throws the error that names its holders when it can't. */
  readonly waitForLock: () => Promise<void>
  /** Called when the command is about to be executed. */
  readonly onStarted?: (() => void) | undefined
  /** The longest wait for the guest's systemd, before the command starts nevertheless. */
  readonly mostBootMs?: number | undefined
  /** Receives what the command writes, instead of this process's own streams; the command's input is empty then. */
  readonly onOutput?: OnSessionOutput | undefined
}

export type OnSessionOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => void

/** Limit for attempts to join: a guest could end its first process each time. */
const MAX_ATTEMPTS = 5
/** Limit for the end of a first process. */
const MOST_END_MS = 3000
const POLL_MS = 10
/** Tells the keeper that a session has come; see templates/host/keeper.sh. */
const HOLD_WORD = '\n'

/**
 * Runs one command, or a login shell, in the environment and waits for it.
 *
 * @returns The guest's exit status, 128+n for signal n.
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
  // The environment runs, and the host forbids to join its namespaces.
  if (last?.stage.startsWith('join-')) throw sessionError(options.name, options.plan.request, last)
  throw sessionFailedError({
    name: options.name,
    reason: `the environment stopped ${MAX_ATTEMPTS} times while the session joined it (${last?.stage ?? 'start'})`,
  })
}

/** Starts the environment unless it runs. @returns The plan to join it, for templates/host/join.pl. @throws As runSession. */
export async function planJoin(options: SessionOptions): Promise<Uint8Array> {
  const anchor = await readyEnvironment(options)
  // Until this process ends, the environment does not end for lack of a session; join.pl has opened the FIFO by then.
  const hold = openHold(anchorFiles(options.runFolder).hold)
  if (hold !== undefined) writeSync(hold, HOLD_WORD)
  return bytesOfText(joinPlanText(options.plan, anchor))
}

async function readyEnvironment(options: SessionOptions): Promise<Anchor> {
  const anchor = readLiveAnchor(options.runFolder) ?? (await startEnvironment(options))
  if (recordedInit(options.runFolder) === 'systemd')
    await untilBooted(options.name, options.runFolder, anchor, options.mostBootMs)
  if (options.keptPlan !== undefined) await keepJoinPlan(options.runFolder, options.keptPlan, anchor)
  return anchor
}

async function startEnvironment(options: SessionOptions) {
  requireRoom()
  await options.waitForLock()
  return options.whileStarting(() => ensureAnchor(options, options.planAnchor))
}

/** Waits for the end of a first process that can no longer be joined. */
async function untilGone(runFolder: string, {pid, startTime}: Anchor): Promise<void> {
  const deadline = Date.now() + MOST_END_MS
  const isThere = () => {
    const live = readLiveAnchor(runFolder)
    return live?.pid === pid && live.startTime === startTime
  }
  while (isThere() && Date.now() < deadline) await sleep(POLL_MS)
}

/** Returns whether the environment ended between the read of its state and the join: it is started again. */
function isAnchorGone({stage, errno}: SessionFailure): boolean {
  // A namespace of processes that has ended answers with ENOMEM. See pid_namespaces(7).
  if (errno !== ENOMEM && limitOfNumber(errno) !== undefined) return false
  return ['anchor', 'hold', 'fork', 'leaving', 'unstarted'].includes(stage) || stage.startsWith('join-')
}

async function join(options: SessionOptions, place: SessionPlace): Promise<number | SessionFailure> {
  const hold = openHold(anchorFiles(options.runFolder).hold)
  if (hold === undefined) return {stage: 'hold', errno: 0}
  const {onOutput} = options
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] =
    onOutput === undefined ? ['inherit', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe']
  stdio[SessionFd.status] = 'pipe'
  stdio[SessionFd.lock] = options.lock.fd
  stdio[SessionFd.hold] = hold
  stdio[SessionFd.filter] = 'pipe'
  const terminal = await rememberTerminal()
  try {
    const child = start(sessionCommand(place, options.plan.request), {env: {PATH: GUEST_PATH}, stdio})
    // The command is in a session (setsid) of its own: signals of the terminal reach it only through this process.
    const stopForwarding = forwardSignals(child, {interrupts: true})
    child.stdout?.on('data', (chunk: Buffer) => onOutput?.('stdout', chunk))
    child.stderr?.on('data', (chunk: Buffer) => onOutput?.('stderr', chunk))
    const filterPipe = pipeOf(child, SessionFd.filter)
    // A session that fails early closes the pipe unread; its status line has the reason.
    filterPipe.on('error', () => {})
    filterPipe.end(options.plan.filter)
    try {
      const [line, exit] = await Promise.all([startLine(child, options.onStarted), ended(child)])
      // The killed process may have been the relay of the terminal, which restores its settings.
      if (exit.signal !== null) await terminal?.restore()
      // An interrupt ends the session even before the command started.
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

/** Returns the status line, which is complete as soon as the command was executed, or could not be. */
async function startLine(child: ChildProcess, onStarted: SessionOptions['onStarted']): Promise<string> {
  const line = await readAll(pipeOf(child, SessionFd.status))
  if (line === STARTED) onStarted?.()
  return line
}

const STARTED = 'started\n'

async function readAll(stream: Readable): Promise<string> {
  const chunks: string[] = []
  for await (const chunk of stream) chunks.push(String(chunk))
  return chunks.join('')
}

/** The step at which the program of a session failed, and its errno. */
export type SessionFailure = {readonly stage: string; readonly errno: number}

const [ENOENT, ENOMEM] = [2, 12]

/** Parses the failure in a status line; undefined without one. */
export function parseFailure(text: string): SessionFailure | undefined {
  const {stage, errno} = /^failed (?<stage>[a-z-]+) (?<errno>\d+)$/m.exec(text)?.groups ?? {}
  return stage === undefined || errno === undefined ? undefined : {stage, errno: Number(errno)}
}

/**
 * Parses the status line of a session's program: undefined when the command was started. Without a line the environment has ended
 * meanwhile, and nothing was started.
 */
function readStart(text: string): SessionFailure | undefined {
  return parseFailure(text) ?? (text === STARTED ? undefined : {stage: 'unstarted', errno: 0})
}

/** Commands of a shell alone. @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html */
const SHELL_COMMANDS: ReadonlySet<string> = new Set(
  (
    '. : alias bg break cd command continue declare eval exec exit export fc fg hash history jobs let local popd pushd read ' +
    'readonly return set shift shopt source times trap type typeset ulimit umask unalias unset wait if for while until case'
  ).split(' '),
)

/** Returns the error with the exit status of env(1): 127 for a missing command, 126 for one that can't be executed. */
function notExecuted(name: string, words: readonly string[], {isMissing}: {isMissing: boolean}): EnvsError {
  // Without a command, templates/host/session.pl takes this one where the user's own shell can't be executed.
  const [command = '/bin/sh'] = words
  const kind = isMissing ? commandNotFoundError : commandNotExecutableError
  return kind({command, name}, {suggestions: stepsFor(name, words)})
}

function stepsFor(name: string, words: readonly string[]): string[] {
  const [command] = words
  if (command === undefined)
    return [
      `It has no shell to enter, as small images of containers. Run one of its programs: envs run ${name} -- PROGRAM`,
      `If it had one: envs undo ${name}`,
    ]
  if (command.startsWith('-'))
    return [
      'Options of envs go before the name of the environment: all words after the name are the command.',
    ]
  const isLine = words.length === 1 && /\s|[;&|<>$]/.test(command)
  if (!isLine && !SHELL_COMMANDS.has(command)) return []
  return [`envs run ${name} -- ${formatCommandLine(['sh', '-c', words.join(' ')])}`]
}

/** Returns the error for a failure that another attempt would not fix. */
export function sessionError(
  name: string,
  request: SessionRequest,
  {stage, errno}: SessionFailure,
): EnvsError {
  const limit = stage === 'exec' ? undefined : limitOfNumber(errno)
  if (limit !== undefined)
    return sessionFailedError(
      {name, reason: `a limit is reached: ${limit}`},
      {suggestions: [`envs ps ${name}`]},
    )
  const reason = describeErrno(errno)
  const targets = request.volumes.map(({target}) => target).join(', ')
  const sources = request.volumes.map(({source}) => source).join(', ')
  switch (stage) {
    case 'exec':
      return notExecuted(name, request.command, {isMissing: errno === ENOENT})
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
    case 'network':
      return sessionFailedError(
        {name, reason: `could not make a network for the session: ${reason}`},
        {suggestions: [seeChecks('user-namespaces')]},
      )
    case 'volume-source':
      return sessionFailedError(
        {name, reason: `could not share "${sources}": ${reason}`},
        {suggestions: ['Share a folder or file that exists, and that you may read.']},
      )
    case 'volume-target':
      return sessionFailedError(
        {name, reason: `could not mount on "${targets}": ${reason}`},
        {suggestions: ['Choose a target that does not exist yet, or a folder.']},
      )
    case 'limits':
      return sessionFailedError(
        {name, reason: `it could not be put under the limits of the environment: ${reason}`},
        {suggestions: [`See what is enforced: envs show ${name}`]},
      )
    case 'volume-read-only':
      return sessionFailedError(
        {name, reason: `this kernel cannot share a folder read-only: ${reason}`},
        {suggestions: ['Use Linux 5.12 or newer, or share the folder writable: leave :ro out.']},
      )
    case 'unlocked':
      return sessionFailedError(
        {
          name,
          reason:
            'this host forbids a second user namespace, so root inside could make the files writable again',
        },
        {suggestions: [seeChecks('user-namespaces', 'apparmor'), 'Or leave --read-only out.']},
      )
    default:
      return sessionFailedError(
        {name, reason: `step ${stage} failed: ${reason}`},
        {suggestions: [seeChecks(...checksOf(stage))]},
      )
  }
}

const STREAMS = {stdin: 'standard input', stdout: 'standard output', stderr: 'standard error'} as const

/** Returns the doctor's checks that explain a failed stage. */
function checksOf(stage: string): readonly NamedCheck[] {
  if (stage.startsWith('join-') || stage === 'volume-namespace') return ['user-namespaces', 'apparmor']
  if (stage === 'filter') return ['kernel']
  if (stage === 'become') return ['subordinate-ids', 'apparmor']
  return ['engine']
}

/** Signals that another process sends to this one, and that are meant for the guest's command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const

/** Signals that a terminal sends to its foreground process group, to which the guest's command may belong. */
const FROM_A_TERMINAL = ['SIGINT', 'SIGQUIT'] as const

/**
 * Forwards signals to a session and keeps this process alive under Ctrl-C, until the returned function is called.
 *
 * @param options.interrupts - Whether to forward the signals of a terminal too, because they do not reach the guest.
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
    // A terminal as standard input is in raw mode and sends no SIGTSTP: its relay stops this process with the whole job.
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
