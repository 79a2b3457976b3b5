import {readFileSync} from 'node:fs'
import {family, peakResidentBytes} from '../../bench/process-family.js'
import {unlessErrno} from '../../src/host/errno.js'

/** What a process and its descendants took at most. */
export type FamilyMemory = {
  /** By the command line of each that was seen: its peak by the kernel's own count. */
  readonly peaks: ReadonlyMap<string, number>
  /** Takes the figures in, and looks no more. */
  stop(): void
}

const EVERY_MS = 20

/** Looks at a process and its descendants again and again, for one that has ended tells nothing any more. @see proc_pid_status(5), VmHWM */
export function watchFamilyMemory(ancestor: number): FamilyMemory {
  const peaks = new Map<string, number>()
  const timer = setInterval(() => {
    for (const pid of family(ancestor)) {
      const line = unlessErrno(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      const name = `${pid} ${line?.split('\0').join(' ')}`
      if (line !== undefined) peaks.set(name, Math.max(peaks.get(name) ?? 0, peakResidentBytes(pid)))
    }
  }, EVERY_MS)
  return {peaks, stop: () => clearInterval(timer)}
}
