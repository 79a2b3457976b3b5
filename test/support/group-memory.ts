import {readdirSync, readFileSync} from 'node:fs'

/** What the processes of a group took at most. */
export type GroupMemory = {
  /** By the command line of each that was seen: its peak by the kernel's own count. */
  readonly peaks: ReadonlyMap<string, number>
  /** Takes the figures in, and looks no more. */
  stop(): void
}

const EVERY_MS = 20

/** Looks at a process group again and again, for a process that has ended tells nothing any more. @see proc_pid_status(5), VmHWM */
export function watchGroupMemory(groupId: number): GroupMemory {
  const peaks = new Map<string, number>()
  const timer = setInterval(() => {
    for (const pid of membersOf(groupId)) {
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
      const name = `${pid} ${read(`/proc/${pid}/cmdline`).split('\0').join(' ')}`
      if (peak !== undefined) peaks.set(name, Math.max(peaks.get(name) ?? 0, Number(peak) * 1024))
    }
  }, EVERY_MS)
  return {peaks, stop: () => clearInterval(timer)}
}

function membersOf(groupId: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    // After the name, which may have anything in it: state, parent, group.
    const [, , group] = read(`/proc/${name}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(group) === groupId
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
