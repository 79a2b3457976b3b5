import {readdirSync, readFileSync, statSync} from 'node:fs'
import {unlessErrno} from '../errno.js'
import {limitReachedError} from '../errors.js'

/** Processes that exist at a time during a start: the engine, its helpers and the first processes. */
const PROCESSES_OF_A_START = 16
/** Descriptors of the pipes to all of these. */
const DESCRIPTORS_OF_A_START = 26

/**
 * Refuses a start for which the limits of this account leave no room. Its programs would fail one by one, and a failed trial
 * would count as a fact of the host.
 *
 * @throws {@link limitReachedError}
 */
export function requireRoom(): void {
  const limits = unlessErrno(() => readFileSync('/proc/self/limits', 'latin1')) ?? ''
  const [processes, descriptors] = ['Max processes', 'Max open files'].map((name) => softLimit(limits, name))
  if (descriptors !== undefined && leavesTooFew(descriptors))
    throw limitReachedError({limit: `${descriptors} open files of a process (ulimit -n)`})
  if (processes !== undefined && isNear(processes))
    throw limitReachedError({limit: `${processes} processes and threads of this account (ulimit -u)`})
}

/** @returns undefined for no limit. @see proc_pid_limits(5) */
function softLimit(limits: string, name: string): number | undefined {
  const text = new RegExp(`^${name} +(\\d+) `, 'm').exec(limits)?.[1]
  return text === undefined ? undefined : Number(text)
}

/** A descriptor above the limit, open since before the limit was set, can't be replaced in a child process. */
function leavesTooFew(most: number): boolean {
  const open = readdirSync('/proc/self/fd').map(Number)
  return most - open.length < DESCRIPTORS_OF_A_START || open.some((fd) => fd >= most)
}

/** The host's number of threads, which needs no search, is enough for most. @see proc_loadavg(5) */
function isNear(most: number): boolean {
  const all = unlessErrno(() => readFileSync('/proc/loadavg', 'latin1')) ?? ''
  const count = Number(/\/(\d+) /.exec(all)?.[1] ?? Number.POSITIVE_INFINITY)
  return count + PROCESSES_OF_A_START > most && ownThreads() + PROCESSES_OF_A_START > most
}

/** Returns the number of processes and threads of this account; of those that are visible. */
function ownThreads(): number {
  const own = process.getuid?.()
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  return pids.reduce((sum, pid) => {
    const threads = unlessErrno(() => {
      if (statSync(`/proc/${pid}`).uid !== own) return 0
      return readdirSync(`/proc/${pid}/task`).length
    })
    return sum + (threads ?? 0)
  }, 0)
}
