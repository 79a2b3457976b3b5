import {readdirSync, readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {isatty} from 'node:tty'
import {isErrno} from './errno.js'
import {ended, start} from './process.js'

/**
 * When a process started, in clock ticks since boot, as a decimal string; with the process id it names one process.
 *
 * @returns undefined for a process that is gone or only waits to be reaped: nothing of it runs any more.
 * @see proc_pid_stat(5), fields 3 and 22
 */
export function processStartTime(pid: number): string | undefined {
  const fields = statFields(pid)
  const [state, startTime] = [fields?.[0], fields?.[19]]
  return state === undefined || state === 'Z' || state === 'X' ? undefined : startTime
}

/**
 * Whether a terminal sends its Ctrl-C to this process, and so to all that it starts.
 *
 * @see proc_pid_stat(5), fields 5, 7 and 8
 */
export function isInTerminalForeground(): boolean {
  const [, , processGroup, , terminal, foregroundGroup] = statFields(process.pid) ?? []
  return terminal !== '0' && processGroup !== undefined && processGroup === foregroundGroup
}

/** Identifies this boot: process ids and start times mean nothing after the next one. @see random(4) */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** Descriptors above standard error that a child would inherit: those the caller's shell left open. */
export function inheritableDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd))
}

/** O_CLOEXEC as fdinfo prints it, octal, on every architecture Node has. @see proc_pid_fdinfo(5) */
const O_CLOEXEC = 0o2000000

function isClosedOnExec(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1]
  return flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
}

/** Fields of /proc/PID/stat from the third on: the second, the name, may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/**
 * How far an open file has been read, by this process or by one that it was handed to, in bytes.
 *
 * @see proc_pid_fdinfo(5)
 */
export function descriptorPosition(fd: number): number {
  const position = /^pos:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  return Number(position ?? 0)
}

/** A mount as this process sees it. */
export type MountEntry = {
  readonly mountPoint: string
  /** Such as `rw`, `nosuid`, `noexec`. */
  readonly options: readonly string[]
  readonly fileSystem: string
}

/**
 * Reads /proc/PID/mountinfo; lines of another shape are left out.
 *
 * @see proc_pid_mountinfo(5): white space and backslashes in names are written as three octal digits.
 */
export function parseMountinfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ', 2)
    const [, , , , mountPoint, options] = before?.split(' ') ?? []
    const [fileSystem] = after?.split(' ') ?? []
    if (mountPoint === undefined || options === undefined || fileSystem === undefined) return []
    return [{mountPoint: unescapeOctal(mountPoint), options: options.split(','), fileSystem}]
  })
}

/** The mount that an absolute path lies on: of two on one mount point, the later covers the earlier. */
export function mountOf(path: string, mounts: readonly MountEntry[]): MountEntry | undefined {
  let best: MountEntry | undefined
  for (const mount of mounts) {
    const isLonger = best === undefined || mount.mountPoint.length >= best.mountPoint.length
    if (isLonger && isBelow(path, mount.mountPoint)) best = mount
  }
  return best
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

function unescapeOctal(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** Whether standard input, output and error are all a terminal: only then is a session a person's. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && isatty(2)
}

/** How the terminal is set now that is one of this process's streams; undefined where none is, or stty(1) is missing. */
export async function rememberTerminal(): Promise<{restore(): Promise<void>} | undefined> {
  const fd = [0, 1, 2].find((stream) => isatty(stream))
  if (fd === undefined) return undefined
  const settings = await stty(fd, '-g')
  return settings === undefined ? undefined : {restore: async () => void (await stty(fd, settings))}
}

async function stty(fd: number, word: string): Promise<string | undefined> {
  try {
    const child = start(['stty', word], {stdio: [fd, 'pipe', 'ignore']})
    let text = ''
    child.stdout?.on('data', (piece) => {
      text += String(piece)
    })
    return (await ended(child)).status === 0 ? text.trim() : undefined
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

/** What /proc says of the limits this process was started under. */
export type ProcessStatus = {
  /** No program it starts can gain privileges: setuid programs such as newuidmap do nothing. */
  readonly noNewPrivileges: boolean
  /** A seccomp filter is on it. */
  readonly isFiltered: boolean
}

export async function readProcessStatus(): Promise<ProcessStatus> {
  return parseProcessStatus(await readFile('/proc/self/status', 'utf8'))
}

/**
 * @param text - /proc/PID/status. A field an old kernel lacks reads as not set.
 * @see proc_pid_status(5): `NoNewPrivs` since Linux 4.10, `Seccomp` 2 is a filter.
 */
export function parseProcessStatus(text: string): ProcessStatus {
  const field = (name: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  return {noNewPrivileges: field('NoNewPrivs') === '1', isFiltered: field('Seccomp') === '2'}
}

/** @see linux/capability.h */
const CAP_SYS_ADMIN = 21n

/**
 * Whether this is root with a say over mounts: the machine's, or that of a container that was given it.
 *
 * Files of the kernel such as /proc/sys belong to uid 0 and ask for no capability, so a guest that runs with that
 * uid must be kept from them by mounts.
 */
export function isMountingRoot({uid}: {readonly uid: number}): boolean {
  if (uid !== 0) return false
  const mask = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << CAP_SYS_ADMIN)) !== 0n
}

/**
 * Bytes that can be had without anything else being swapped out: of the machine, or of the control group this runs in.
 *
 * @see proc_meminfo(5) MemAvailable
 */
export function availableMemory(): number {
  return process.availableMemory()
}
