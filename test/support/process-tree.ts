import {readdirSync, readFileSync} from 'node:fs'
import {capture} from '../../src/host/process.js'

/** Processes below another one, oldest ids first; those of a guest too. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? statusField(Number(entry), 'PPid') : undefined
    if (parent !== undefined) parents.set(Number(entry), Number(parent))
  }
  const isBelow = (each: number | undefined): boolean =>
    each !== undefined && each !== 0 && (parents.get(each) === pid || isBelow(parents.get(each)))
  return [...parents.keys()].filter(isBelow).sort((a, b) => a - b)
}

/** Those of them that the guest's `/proc` does not show. */
export function hostProgramsBelow(pid: number): number[] {
  return descendantsOf(pid).filter((each) => pidNamespacesOf(each) === 1)
}

/** Those of them that run in a guest. */
export function guestProgramsBelow(pid: number): number[] {
  return descendantsOf(pid).filter((each) => pidNamespacesOf(each) > 1)
}

/** R, S, D, T, t or Z; undefined for one that is gone. @see proc_pid_stat(5) */
export function stateOf(pid: number): string | undefined {
  return statusField(pid, 'State')?.charAt(0)
}

export function isAlive(pid: number): boolean {
  return !['Z', 'X', undefined].includes(stateOf(pid))
}

/** Whether a terminal edits lines and echoes, as a shell's user expects it. */
export async function isCooked(device: string): Promise<boolean> {
  const {stdout} = await capture(['stty', '-a', '-F', device])
  const words = stdout.split(/[\s;]+/)
  return ['icanon', 'echo', 'isig', 'opost', 'icrnl'].every((mode) => words.includes(mode))
}

function pidNamespacesOf(pid: number): number {
  return statusField(pid, 'NSpid')?.split(/\s+/).length ?? 0
}

function statusField(pid: number, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
