import {readdirSync, readFileSync} from 'node:fs'

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
