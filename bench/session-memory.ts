import {formatBytes} from '../src/cli/format.js'
import {renderTable} from '../src/cli/table.js'
import {errnoOf} from '../src/errors.js'
import {start} from '../src/host/process.js'
import type {Bench} from './invocation.js'
import type {Contender} from './measure.js'
import {family, mentioning, nameOf, residentBytes} from './process-family.js'

/** The last command of each session: longer than the measurement. */
export const SLEEP = ['sleep', '60'] as const

/** Memory of a session that only waits. */
export type SessionMemory = {
  readonly title: string
  readonly compared: string
  readonly rows: readonly {
    readonly name: string
    readonly processes: number
    /** With proportional and full shares of shared pages; without the waiting command. */
    readonly pssBytes: number
    readonly rssBytes: number
  }[]
}

/** Long enough for all start-up processes to end; a quick run does not wait. */
const SETTLE_MS = {usual: 1500, quick: 500}
const [PAYLOAD] = SLEEP

/**
 * Also counts processes outside of the invocation's descendants if the bench's folder is in their command
 * line: podman's monitor.
 *
 * @throws {Error} If an invocation of envs has ended before the measurement; a peer is left out.
 */
export async function measureSessionMemory(
  sessions: readonly Contender[],
  {bench, isQuick}: {bench: Bench; isQuick: boolean},
): Promise<SessionMemory> {
  const settleMs = isQuick ? SETTLE_MS.quick : SETTLE_MS.usual
  const rows: SessionMemory['rows'][number][] = []
  for (const {name, side, prepare} of sessions) {
    const {argv, variables = {}} = await prepare()
    const before = new Set(mentioning(bench.folder))
    const child = start(argv, {
      cwd: bench.folder,
      env: {...bench.environment, ...variables},
      ...bench.user,
      stdio: 'ignore',
    })
    const end = new Promise((resolve) => child.once('close', resolve))
    await new Promise((resolve) => setTimeout(resolve, settleMs))
    if (child.pid === undefined || child.exitCode !== null) {
      if (side === 'ours') throw new Error(`${argv.join(' ')} has ended`)
      continue
    }
    const apart = mentioning(bench.folder).filter((pid) => !before.has(pid))
    const all = [...new Set([child.pid, ...apart].flatMap(family))]
    const found = all.filter((pid) => nameOf(pid) !== PAYLOAD)
    rows.push({
      name,
      processes: found.length,
      pssBytes: sum(found.map((pid) => residentBytes(pid, 'Pss'))),
      rssBytes: sum(found.map((pid) => residentBytes(pid, 'Rss'))),
    })
    for (const pid of all) kill(pid)
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

/** A process that has ended is ignored; one that only root may end ends with its sleep. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
