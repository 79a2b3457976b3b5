import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'
import {type DebArchitecture, ioctlKind, systemCalls} from '../host/arch.js'
import {processStartTime} from '../host/proc.js'
import {capture} from '../host/process.js'
import {isReleased, isRunning} from './anchor.js'
import {type Anchor, readLiveAnchor} from './anchor-state.js'

/** One that nobody is in leaves within two seconds, see templates/guest/holder.sh; on a busy host later. */
const LEAVES_WITHIN_MS = 5000
const LEAVING_POLL_MS = 50

/**
 * Whether anything of an environment lives that does not end by itself.
 *
 * One that nobody is in any more is waited for, so that what is done after its last session does not find it running.
 */
export async function isInUse(runFolder: string): Promise<boolean> {
  const deadline = Date.now() + LEAVES_WITHIN_MS
  while (await isRunning(runFolder)) {
    const anchor = readLiveAnchor(runFolder)
    const isEmpty = anchor === undefined || listProcesses(anchor).length === 0
    if (!isEmpty || Date.now() >= deadline) return true
    await sleep(LEAVING_POLL_MS)
  }
  return false
}

/** A process of a running environment. */
export type GuestProcess = {
  /** Its id as the host sees it, and as the guest does. */
  readonly hostPid: number
  readonly pid: number
  /** Its user id as the guest sees it. */
  readonly uid: number
  readonly startedAt: Date
  /** Written by the guest: escape it before a terminal sees it. */
  readonly command: string
}

/** The anchor's own: pid 1, the holder, and the holder's sleep. What a session leaves behind becomes pid 1's child. */
const HOLDER_PID = 2
const POLL_MS = 20
/** Longest that the kernel may take to end all processes of an environment; it needs milliseconds for most. */
const MOST_END_MS = 15_000

/**
 * Processes of the environment, the anchor's own left out, oldest first.
 *
 * Read from the host's /proc: what the guest has mounted there is the guest's word. The owner of a user namespace
 * may look into every process of it, whatever its uid.
 *
 * @see proc_pid_status(5) NSpid, user_namespaces(7)
 */
export function listProcesses(anchor: Anchor): GuestProcess[] {
  const namespace = pidNamespace(anchor.pid)
  const uptimeBase = bootTimeMs()
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && namespace !== undefined && pidNamespace(pid) === namespace)
    .flatMap((pid) => describe(pid, uptimeBase))
    .sort((a, b) => a.pid - b.pid)
    .filter(({pid, parentPid}) => pid > HOLDER_PID && parentPid !== HOLDER_PID)
    .map(({parentPid: _, ...process}) => process)
}

/**
 * Ends everything in the environment: asks politely, then the kernel ends what is left together with pid 1.
 *
 * @param graceMs - How long services may take to end by themselves.
 * @param sender - Who asks them; undefined where nobody can, and all is ended at once.
 * @returns Whether all of it is gone: the kernel waits for processes that someone outside traces, or has not reaped.
 */
export async function stopAnchor(
  runFolder: string,
  {sender, graceMs}: {sender: SignalSender | undefined; graceMs: number},
): Promise<boolean> {
  const anchor = readLiveAnchor(runFolder)
  if (anchor === undefined) return true
  const deadline = Date.now() + (sender === undefined ? 0 : graceMs)
  if (sender !== undefined && graceMs > 0 && listProcesses(anchor).length > 0) await hangUp(anchor, sender)
  while (Date.now() < deadline && listProcesses(anchor).length > 0) await sleep(POLL_MS)
  killAnchor(anchor)
  const killed = Date.now()
  while (processStartTime(anchor.pid) === anchor.startTime) {
    if (Date.now() - killed > MOST_END_MS) return false
    await sleep(POLL_MS)
  }
  return isReleased(runFolder)
}

/**
 * Interactive shells ignore TERM and end on HUP. Others must not get both: one that tidies up on TERM and has no
 * handler for HUP would be cut short. What stood still goes on, to take notice.
 */
async function hangUp(anchor: Anchor, sender: SignalSender): Promise<void> {
  const deaf = listProcesses(anchor).filter(ignoresTermination)
  const signals: GuestSignal[] = [{name: 'TERM'}, ...deaf.map(({pid}) => ({name: 'HUP', pid}) as const)]
  await capture(signalCommand(sender, anchor, signals), {timeout: 5000})
}

/** SIGTERM is 15 everywhere, and bit n-1 stands for signal n. @see proc_pid_status(5) SigIgn */
function ignoresTermination({hostPid}: GuestProcess): boolean {
  try {
    const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${hostPid}/status`, 'latin1'))?.[1]
    return mask !== undefined && (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n
  } catch {
    return false
  }
}

function killAnchor(anchor: Anchor): void {
  if (processStartTime(anchor.pid) !== anchor.startTime) return
  try {
    process.kill(anchor.pid, 'SIGKILL')
  } catch {
    // It ended by itself in between.
  }
}

/** Facts of some processes; those that are gone are left out. */
export function describeProcesses(hostPids: readonly number[]): GuestProcess[] {
  const uptimeBase = bootTimeMs()
  return hostPids
    .flatMap((hostPid) => describe(hostPid, uptimeBase))
    .map(({parentPid: _, ...process}) => process)
}

function describe(hostPid: number, bootedAtMs: number): (GuestProcess & {parentPid: number})[] {
  try {
    const status = readFileSync(`/proc/${hostPid}/status`, 'latin1')
    const pid = guestPid(hostPid)
    const hostUid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? ''
    const words = readFileSync(`/proc/${hostPid}/cmdline`, 'utf8').split('\0').slice(0, -1)
    const startedAt = new Date(bootedAtMs + Number(processStartTime(hostPid) ?? 0) * MS_PER_TICK)
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

/** The id in the innermost namespace; NaN for one that is gone. */
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

/** What the kernel shows for an id without a mapping. @see user_namespaces(7) */
const OVERFLOW_UID = 65534

/** Undefined where it can't be read. */
export function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** What sends signals from within an environment's pid namespace. */
export type SignalSender = {
  /** Words that start templates/host/signal-all.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

/** A signal for all processes of the environment, its first one apart, or for the one with this id in the guest. */
export type GuestSignal = {readonly name: 'CONT' | 'HUP' | 'STOP' | 'TERM'; readonly pid?: number}

/** The argument list that sends these one after another, and CONT to all after that. */
function signalCommand(sender: SignalSender, anchor: Anchor, signals: readonly GuestSignal[]): string[] {
  const words = signals.map(({name, pid}) => (pid === undefined ? name : `${name}:${pid}`))
  return [...senderWords(sender, anchor), ...words]
}

/** The argument list of what stops all processes for as long as its input lasts, and takes the orders of freezer.ts. */
export function freezeCommand(sender: SignalSender, anchor: Anchor): string[] {
  return [...senderWords(sender, anchor), 'freeze']
}

function senderWords({launcher, architecture}: SignalSender, anchor: Anchor): string[] {
  const {prctl, setns, wait4} = systemCalls(architecture)
  return [...launcher, String(anchor.pid), [prctl, setns, wait4, ioctlKind(architecture)].join(',')]
}
