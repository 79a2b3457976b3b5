import {readdirSync, readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {isatty} from 'node:tty'
import {isErrno} from '../errno.js'
import {ended, start} from '../process.js'

/**
 * Returns the start time of a process in clock ticks since boot, as a decimal string; pid and start time identify
 * a process.
 *
 * @returns undefined for a process that ended, even if it is not reaped yet.
 * @see proc_pid_stat(5), fields 3 and 22
 */
export function processStartTime(pid: number): string | undefined {
  const fields = statFields(pid)
  const [state, startTime] = [fields?.[0], fields?.[19]]
  return state === undefined || state === 'Z' || state === 'X' ? undefined : startTime
}

/** Returns the parent of a process; undefined for a process that ended. @see proc_pid_stat(5), field 4 */
export function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/**
 * Returns whether a terminal sends Ctrl-C to this process and its children.
 *
 * @see proc_pid_stat(5), fields 5, 7 and 8
 */
export function isInTerminalForeground(): boolean {
  const [, , processGroup, , terminal, foregroundGroup] = statFields(process.pid) ?? []
  return terminal !== '0' && processGroup !== undefined && processGroup === foregroundGroup
}

/** Returns the id of this boot: pids and start times are invalid after the next one. @see random(4) */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** Returns the descriptors above standard error that a child would inherit, left open by the caller. */
export function inheritableDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd))
}

/** O_CLOEXEC in fdinfo, octal, on every architecture of Node. @see proc_pid_fdinfo(5) */
const O_CLOEXEC = 0o2000000

function isClosedOnExec(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1]
  return flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
}

/** Returns the fields of /proc/PID/stat from the third on: the second, the name, may contain spaces and brackets. */
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
 * Returns the position of an open file in bytes, shared with the processes that inherited it.
 *
 * @see proc_pid_fdinfo(5)
 */
export function descriptorPosition(fd: number): number {
  const position = /^pos:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  return Number(position ?? 0)
}

/** A mount in the mount namespace of this process. */
export type MountEntry = {
  readonly mountPoint: string
  /** Such as `rw`, `nosuid`, `noexec`. */
  readonly options: readonly string[]
  readonly fileSystem: string
}

/**
 * Parses /proc/PID/mountinfo; malformed lines are skipped.
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

/** Returns the mount of an absolute path: of two on one mount point, the later covers the earlier. */
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

/** Returns whether standard input, output and error are terminals: then a person uses the session. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && isatty(2)
}

/** Saves the settings of the terminal; undefined if there is no terminal or no stty(1). */
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

/** Restrictions of this process. */
export type ProcessStatus = {
  /** Whether no_new_privs is set: setuid programs such as newuidmap have no effect. */
  readonly noNewPrivileges: boolean
  /** Whether a seccomp filter is active. */
  readonly isFiltered: boolean
}

export async function readProcessStatus(): Promise<ProcessStatus> {
  return parseProcessStatus(await readFile('/proc/self/status', 'utf8'))
}

/**
 * Parses /proc/PID/status.
 *
 * @param text - Content of the file; a field that an old kernel lacks is read as not set.
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

/** Ubuntu's restriction of user namespaces: 1 where programs without a profile get no rights in them. */
export const APPARMOR_SWITCH = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'

/**
 * Ubuntu's profiles of programs without rights in a user namespace, alone, in another profile (`unshare//unpriv`) or stacked on
 * one (`bwrap//&unpriv_bwrap`).
 */
const POWERLESS = /(?:^|\/\/&?)(?:unprivileged_userns|unpriv(?:_\w+)?)(?=\/\/| |$)/

/** Returns whether AppArmor's label means that a program has no rights in its user namespace. */
export function isPowerlessLabel(label: string): boolean {
  return POWERLESS.test(label)
}

/** @see linux/capability.h */
const CAP_SYS_ADMIN = 21n

/**
 * Returns whether this process is root with CAP_SYS_ADMIN, on the host or in a privileged container.
 *
 * Kernel files such as /proc/sys belong to uid 0 and need no capability, so mounts must protect them from a guest
 * that runs with this uid.
 */
export function isMountingRoot({uid}: {readonly uid: number}): boolean {
  if (uid !== 0) return false
  const mask = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << CAP_SYS_ADMIN)) !== 0n
}

/**
 * Returns the bytes that are available without swapping: of the machine, or of the control group.
 *
 * @see proc_meminfo(5) MemAvailable
 */
export function availableMemory(): number {
  return process.availableMemory()
}
