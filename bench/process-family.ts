import {readdirSync, readFileSync, readlinkSync} from 'node:fs'

/** Returns a process and its existing descendants. @see proc_pid_task_children(5) */
export function family(pid: number): number[] {
  const threads = list(`/proc/${pid}/task`)
  const children = threads.flatMap((thread) => numbers(read(`/proc/${pid}/task/${thread}/children`)))
  return [pid, ...children.flatMap(family)]
}

/** Returns all processes. */
export function allProcesses(): number[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Returns processes whose command line contains a text. @see proc_pid_cmdline(5) */
export function mentioning(text: string): number[] {
  return allProcesses().filter((pid) => read(`/proc/${pid}/cmdline`).includes(text))
}

/** Returns the name of a process, at most 15 bytes. @see proc_pid_comm(5) */
export function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim()
}

/** Returns the program of a process; undefined for another user's, and after its end. */
export function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return undefined
  }
}

/** Returns the user id of a process, also of one that can't be looked into; -1 after its end. @see proc_pid_status(5) */
export function ownerOf(pid: number): number {
  return Number(/^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? -1)
}

/**
 * Returns resident memory in bytes: with proportional or full shares of shared pages. @see proc_pid_smaps(5)
 */
export function residentBytes(pid: number, key: 'Pss' | 'Rss'): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, key) * 1024
}

/** Returns the resident memory in bytes that no other process has mapped. */
export function privateBytes(pid: number): number {
  const path = `/proc/${pid}/smaps_rollup`
  return (kilobytes(path, 'Private_Clean') + kilobytes(path, 'Private_Dirty')) * 1024
}

/** Returns the user of a process; undefined after its end. */
export function userOf(pid: number): number | undefined {
  const found = /^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]
  return found === undefined ? undefined : Number(found)
}

/** Returns the peak resident memory of a process's program, in bytes. @see proc_pid_status(5) */
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

/** Returns an empty text for a process that has ended, or is unreadable. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
