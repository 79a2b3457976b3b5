import {start} from '../src/host/process.js'
import {formatBytes} from '../src/ui/size.js'
import {renderTable} from '../src/ui/table.js'
import type {Bench, Invocation} from './invocation.js'
import {family, nameOf, residentBytes} from './process-family.js'

/** What a session keeps in memory that only waits. */
export type SessionMemory = {
  readonly title: string
  readonly compared: string
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
    const found = family(child.pid).filter((pid) => nameOf(pid) !== PAYLOAD)
    rows.push({
      name,
      processes: found.length,
      pssBytes: sum(found.map((pid) => residentBytes(pid, 'Pss'))),
      rssBytes: sum(found.map((pid) => residentBytes(pid, 'Rss'))),
    })
    child.kill('SIGKILL')
    await end
  }
  return {
    title: 'Memory of a session that waits',
    compared: 'All processes between the caller and a command that sleeps, which is itself left out.',
    rows,
  }
}

export function renderSessionMemory({title, compared, rows}: SessionMemory): string {
  return [
    title,
    compared,
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
