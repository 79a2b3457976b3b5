import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'
import {describeProcesses, type GuestProcess} from './processes.js'
import {ProotFd} from './proot-descriptors.js'

const POLL_MS = 20

/**
 * What proot runs of one environment, oldest first.
 *
 * @param lockPath - The environment's lock, which each proot of its own has open.
 */
export function listProotProcesses(lockPath: string): GuestProcess[] {
  const own = tracees((tracer) => hasLock(tracer, lockPath))
  return describeProcesses(own).sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
}

/**
 * Ends what proot runs of an environment. Never proot itself, without which the rest would be among the host's files: it
 * ends with the last of them.
 *
 * @param graceMs - How long services may take to end by themselves.
 */
export function stopProotProcesses(lockPath: string, options: {graceMs: number}): Promise<void> {
  return stopTracees((tracer) => hasLock(tracer, lockPath), options)
}

/** As {@link stopProotProcesses}, of what one proot runs. */
export function stopProot(pid: number, options: {graceMs: number}): Promise<void> {
  return stopTracees((tracer) => tracer === pid, options)
}

async function stopTracees(isOurs: TracerTest, {graceMs}: {graceMs: number}): Promise<void> {
  if (graceMs > 0) for (const signal of ['SIGTERM', 'SIGHUP'] as const) send(tracees(isOurs), signal)
  const deadline = Date.now() + graceMs
  while (Date.now() < deadline && tracees(isOurs).length > 0) await sleep(POLL_MS)
  for (let left = tracees(isOurs); left.length > 0; left = tracees(isOurs)) {
    send(left, 'SIGKILL')
    await sleep(POLL_MS)
  }
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It ended by itself in between.
    }
  }
}

type TracerTest = (tracer: number) => boolean

function tracees(isOurs: TracerTest): number[] {
  const answers = new Map<number, boolean>()
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      const tracer = Number.isInteger(pid) ? tracerOf(pid) : 0
      if (tracer === 0) return false
      const known = answers.get(tracer) ?? isOurs(tracer)
      answers.set(tracer, known)
      return known
    })
}

/** 0 for one without. @see proc_pid_status(5) */
function tracerOf(pid: number): number {
  try {
    return Number(/^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function hasLock(pid: number, lockPath: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${ProotFd.lock}`) === lockPath
  } catch {
    return false
  }
}
