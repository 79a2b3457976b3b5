import {readdirSync, readFileSync, readlinkSync} from 'node:fs'

/** A process and all below it, as far as they are still there. @see proc_pid_task_children(5) */
export function family(pid: number): number[] {
  const threads = list(`/proc/${pid}/task`)
  const children = threads.flatMap((thread) => numbers(read(`/proc/${pid}/task/${thread}/children`)))
  return [pid, ...children.flatMap(family)]
}

/** Processes whose command line has that text in it. @see proc_pid_cmdline(5) */
export function mentioning(text: string): number[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes(text))
    .map(Number)
}

/** The name that a process has, at most 15 bytes of it. @see proc_pid_comm(5) */
export function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim()
}

/** The program that a process runs; undefined for another user's, and when it has gone. */
export function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return undefined
  }
}

/** Resident memory in bytes: shared pages by parts, or all of them. @see proc_pid_smaps(5) */
export function residentBytes(pid: number, key: 'Pss' | 'Rss'): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, key) * 1024
}

/** The most that was resident of a process since it began its program, in bytes. @see proc_pid_status(5) */
export function peakResidentBytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, 'VmHWM') * 1024
}

function kilobytes(path: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(read(path))?.[1] ?? 0)
}

function numbers(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number)
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Nothing of a process that has gone, or that is not ours to look at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
