import {readFileSync} from 'node:fs'
import {start} from '../src/host/process.js'
import {formatBytes} from '../src/ui/size.js'
import {renderTable} from '../src/ui/table.js'
import type {Bench, Invocation} from './invocation.js'

/** What a session keeps in memory that only waits. */
export type SessionMemory = {
  readonly title: string
  readonly rows: readonly {
    readonly name: string
    readonly processes: number
    /** Shared pages by parts, and all of them; what the waiting command itself has is not among them. */
    readonly pssBytes: number
    readonly rssBytes: number
  }[]
}

/** Long enough for all that a start leaves to have ended. */
const SETTLE_MS = 1500
const PAYLOAD = 'sleep'

/**
 * @param sessions - Calls that run `sleep` in the end, by name.
 * @throws {Error} When a call has ended by the time it is to be looked at.
 */
export async function measureSessionMemory(
  sessions: Readonly<Record<string, Invocation>>,
  bench: Bench,
): Promise<SessionMemory> {
  const rows: SessionMemory['rows'][number][] = []
  for (const [name, {argv, variables = {}}] of Object.entries(sessions)) {
    const child = start(argv, {
      cwd: bench.folder,
      env: {...bench.environment, ...variables},
      ...bench.user,
      stdio: 'ignore',
    })
    const end = new Promise((resolve) => child.once('close', resolve))
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    if (child.pid === undefined || child.exitCode !== null) throw new Error(`${argv.join(' ')} has ended`)
    const found = family(child.pid).filter((pid) => programOf(pid) !== PAYLOAD)
    rows.push({
      name,
      processes: found.length,
      pssBytes: sum(found.map((pid) => kilobytes(pid, 'Pss') * 1024)),
      rssBytes: sum(found.map((pid) => kilobytes(pid, 'Rss') * 1024)),
    })
    child.kill('SIGKILL')
    await end
  }
  return {title: 'Memory of a session that waits', rows}
}

export function renderSessionMemory({title, rows}: SessionMemory): string {
  return [
    title,
    renderTable<SessionMemory['rows'][number]>(
      rows,
      [
        {title: 'what', show: ({name}) => name},
        {title: 'processes', align: 'right', show: ({processes}) => String(processes)},
        {title: 'pss', align: 'right', show: ({pssBytes}) => formatBytes(pssBytes)},
        {title: 'rss', align: 'right', show: ({rssBytes}) => formatBytes(rssBytes)},
      ],
      undefined,
    ),
  ].join('\n')
}

/** A process and all below it. @see proc_pid_task_children(5) */
function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(family)]
}

function programOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim()
}

/** @see proc_pid_smaps(5) */
function kilobytes(pid: number, key: 'Pss' | 'Rss'): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
