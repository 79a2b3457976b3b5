import {readdirSync, readFileSync} from 'node:fs'

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
    for (const pid of familyOf(ancestor)) {
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
      const name = `${pid} ${read(`/proc/${pid}/cmdline`).split('\0').join(' ')}`
      if (peak !== undefined) peaks.set(name, Math.max(peaks.get(name) ?? 0, Number(peak) * 1024))
    }
  }, EVERY_MS)
  return {peaks, stop: () => clearInterval(timer)}
}

/** @see proc_pid_task_children(5) */
function familyOf(pid: number): number[] {
  const children = foldersOf(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(familyOf)]
}

/** Empty where the process has ended. */
function foldersOf(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
