import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'
import {type DebArchitecture, ioctlKind, systemCalls} from '../host/machine/arch.js'
import {processStartTime} from '../host/machine/proc.js'
import {capture} from '../host/process.js'
import {isReleased, isRunning} from './anchor.js'
import {type Anchor, type GuestInit, readLiveAnchor, recordedInit} from './anchor-state.js'
import {hasBooted} from './init/boot-state.js'
import {haltGuest} from './init/halt.js'

/** An environment without sessions ends within two seconds (templates/guest/holder.sh), on a busy host later. */
const LEAVES_WITHIN_MS = 5000
const LEAVING_POLL_MS = 50

/**
 * Returns whether an environment has processes that do not end by themselves.
 *
 * Waits for the end of an environment without sessions, so that a command after the last session does not find it running.
 */
export async function isInUse(runFolder: string): Promise<boolean> {
  const deadline = Date.now() + LEAVES_WITHIN_MS
  while (await isRunning(runFolder)) {
    const anchor = readLiveAnchor(runFolder)
    if (anchor !== undefined && recordedInit(runFolder) !== undefined) return true
    const isEmpty = anchor === undefined || listProcesses(anchor).length === 0
    if (!isEmpty || Date.now() >= deadline) return true
    await sleep(LEAVING_POLL_MS)
  }
  return false
}

/** A process of a running environment. */
export type GuestProcess = {
  /** The pid on the host, and in the guest. */
  readonly hostPid: number
  readonly pid: number
  /** The user id in the guest. */
  readonly uid: number
  readonly startedAt: Date
  /** Written by the guest: escape it before a terminal sees it. */
  readonly command: string
}

/** Pids of the anchor: pid 1 and the holder, whose child is a sleep. Processes that outlive a session become children of pid 1. */
const HOLDER_PID = 2
const POLL_MS = 20
/** Limit for the kernel to end all processes of an environment; milliseconds are usual. */
const MOST_END_MS = 15_000

/**
 * Lists the processes of the environment, without those of the anchor, oldest first.
 *
 * Reads the host's /proc, because the guest controls its own. The owner of a user namespace may read all processes of it, whatever
 * their uid.
 *
 * @see proc_pid_status(5) NSpid, user_namespaces(7)
 */
export function listProcesses(anchor: Anchor, {hasInit = false} = {}): GuestProcess[] {
  const namespace = pidNamespace(anchor.pid)
  const uptimeBase = bootTimeMs()
  return (
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && namespace !== undefined && pidNamespace(pid) === namespace)
      .flatMap((pid) => describeProcess(pid, uptimeBase))
      .sort((a, b) => a.pid - b.pid)
      // With an init of the guest there is no holder.
      .filter(({pid, parentPid}) => (hasInit ? pid > 1 : pid > HOLDER_PID && parentPid !== HOLDER_PID))
      .map(({parentPid: _, ...process}) => process)
  )
}

/**
 * Ends all processes of the environment: sends TERM or HUP, waits, then kills pid 1, with which the kernel ends the rest. An init of
 * the guest is asked to stop its units instead.
 *
 * @param options.graceMs - Time that services have to end by themselves.
 * @param options.sender - The program that sends the signals; undefined when there is none, and all end at once.
 */
export async function stopAnchor(
  runFolder: string,
  {sender, graceMs}: {sender: SignalSender | undefined; graceMs: number},
): Promise<StopReport> {
  const anchor = readLiveAnchor(runFolder)
  if (anchor === undefined) return {hasEnded: true, killed: []}
  const init = recordedInit(runFolder)
  const killed =
    init === undefined
      ? await askToEnd(anchor, {sender, graceMs})
      : await halt(anchor, {init, runFolder, graceMs})
  killAnchor(anchor)
  const begun = Date.now()
  while (isThere(anchor)) {
    if (Date.now() - begun > MOST_END_MS) return {hasEnded: false, killed}
    await sleep(POLL_MS)
  }
  return {hasEnded: await isReleased(runFolder), killed}
}

export type StopReport = {
  /** Whether all have ended: the kernel waits for processes that have a tracer outside, or are not reaped. */
  readonly hasEnded: boolean
  /** Processes that had not ended in time. */
  readonly killed: readonly GuestProcess[]
}

async function askToEnd(
  anchor: Anchor,
  {sender, graceMs}: {sender: SignalSender | undefined; graceMs: number},
): Promise<GuestProcess[]> {
  const deadline = Date.now() + (sender === undefined ? 0 : graceMs)
  if (sender !== undefined && graceMs > 0 && listProcesses(anchor).length > 0) await hangUp(anchor, sender)
  while (Date.now() < deadline && listProcesses(anchor).length > 0) await sleep(POLL_MS)
  return listProcesses(anchor)
}

async function halt(
  anchor: Anchor,
  {init, runFolder, graceMs}: {init: GuestInit; runFolder: string; graceMs: number},
): Promise<GuestProcess[]> {
  let unfinished: GuestProcess[] = []
  // That of envs takes the signal from the moment at which the environment counts as started.
  const isReady = () => init === 'services' || hasBooted(runFolder, anchor)
  const onDeadline = () => {
    unfinished = listProcesses(anchor, {hasInit: true})
  }
  await haltGuest(anchor, {graceMs, isReady, onDeadline})
  return unfinished
}

function isThere(anchor: Anchor): boolean {
  return processStartTime(anchor.pid) === anchor.startTime
}

/**
 * Sends TERM to all processes, and HUP to those that ignore TERM, as interactive shells do. Other processes must not get both: HUP
 * would end a process that cleans up on TERM and has no handler for HUP. Continues stopped processes, so that they get the signals.
 */
async function hangUp(anchor: Anchor, sender: SignalSender): Promise<void> {
  const deaf = listProcesses(anchor).filter(ignoresTermination)
  const signals: GuestSignal[] = [{name: 'TERM'}, ...deaf.map(({pid}) => ({name: 'HUP', pid}) as const)]
  await capture(signalCommand(sender, anchor, signals), {timeout: 5000})
}

/** Returns whether a process ignores SIGTERM, signal 15: bit n-1 stands for signal n. @see proc_pid_status(5) SigIgn */
function ignoresTermination({hostPid}: GuestProcess): boolean {
  try {
    const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${hostPid}/status`, 'latin1'))?.[1]
    return mask !== undefined && (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n
  } catch {
    return false
  }
}

function killAnchor(anchor: Anchor): void {
  if (!isThere(anchor)) return
  try {
    process.kill(anchor.pid, 'SIGKILL')
  } catch {
    // The process has ended already.
  }
}

/** Returns the facts of processes; skips processes that have ended. */
export function describeProcesses(hostPids: readonly number[]): GuestProcess[] {
  const uptimeBase = bootTimeMs()
  return hostPids
    .flatMap((hostPid) => describeProcess(hostPid, uptimeBase))
    .map(({parentPid: _, ...process}) => process)
}

function describeProcess(hostPid: number, bootedAtMs: number): (GuestProcess & {parentPid: number})[] {
  try {
    const status = readFileSync(`/proc/${hostPid}/status`, 'latin1')
    const pid = guestPid(hostPid)
    const hostUid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? ''
    const words = readFileSync(`/proc/${hostPid}/cmdline`, 'utf8').split('\0').slice(0, -1)
    const startTime = processStartTime(hostPid)
    // It has ended between two of these reads.
    if (startTime === undefined) return []
    const startedAt = new Date(bootedAtMs + Number(startTime) * MS_PER_TICK)
    const parentPid = guestPid(Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]))
    return [
      {
        hostPid,
        pid,
        parentPid,
        uid: guestUid(hostPid, hostUid),
        startedAt,
        command: words.join(' ') || `[${name}]`,
      },
    ]
  } catch {
    return []
  }
}

/** Returns the pid in the innermost namespace; NaN when it is unknown. */
function guestPid(hostPid: number): number {
  const status = hostPid === 0 ? '' : readFileSync(`/proc/${hostPid}/status`, 'latin1')
  return Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1])
}

/** USER_HZ is 100 in every ABI that Node runs on. @see proc_pid_stat(5) */
const MS_PER_TICK = 10

function bootTimeMs(): number {
  const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]
  return Number(seconds ?? 0) * 1000
}

function guestUid(hostPid: number, hostUid: number): number {
  for (const line of readFileSync(`/proc/${hostPid}/uid_map`, 'latin1').trim().split('\n')) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number)
    if (hostUid >= outside && hostUid < outside + count) return inside + hostUid - outside
  }
  return OVERFLOW_UID
}

/** The id that the kernel shows for an unmapped id. @see user_namespaces(7) */
const OVERFLOW_UID = 65534

/** Returns the name of a process's pid namespace; undefined when it is unreadable. */
export function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** The program that sends signals from within an environment's pid namespace. */
export type SignalSender = {
  /** Argv prefix of templates/host/signal-all.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

/** A signal for all processes of the environment except the first one, or for the one with this pid in the guest. */
export type GuestSignal = {readonly name: 'CONT' | 'HUP' | 'STOP' | 'TERM'; readonly pid?: number}

/** Returns the argv that sends these signals in order, and CONT to all processes after that. */
function signalCommand(sender: SignalSender, anchor: Anchor, signals: readonly GuestSignal[]): string[] {
  const words = signals.map(({name, pid}) => (pid === undefined ? name : `${name}:${pid}`))
  return [...senderWords(sender, anchor), ...words]
}

/** Returns the argv of the freezer, which keeps all processes stopped until its stdin ends; freeze.ts sends its commands. */
export function freezeCommand(sender: SignalSender, anchor: Anchor): string[] {
  return [...senderWords(sender, anchor), 'freeze', ...(anchor.group === undefined ? [] : [anchor.group])]
}

function senderWords({launcher, architecture}: SignalSender, anchor: Anchor): string[] {
  const {prctl, setns, wait4} = systemCalls(architecture)
  return [...launcher, String(anchor.pid), [prctl, setns, wait4, ioctlKind(architecture)].join(',')]
}
