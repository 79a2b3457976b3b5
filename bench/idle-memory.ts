import {formatBytes} from '../src/cli/format.js'
import {renderTable} from '../src/cli/table.js'
import {start} from '../src/host/process.js'
import type {Bench, Invocation} from './invocation.js'
import {allProcesses, family, nameOf, privateBytes, residentBytes, userOf} from './process-family.js'
import {kill, sum} from './session-memory.js'
import {quantile} from './statistics.js'
import type {Version} from './versions.js'

/** Memory of a running environment with one session that waits. */
export type IdleMemory = {
  readonly title: string
  readonly compared: string
  readonly rows: readonly (Footprint & {readonly name: string})[]
}

type Footprint = {
  readonly processes: number
  /** With proportional shares of shared pages. */
  readonly pssBytes: number
  /** Memory that no other process has mapped. */
  readonly privateBytes: number
}

const ROUNDS = {usual: 5, quick: 1}
/** Long enough for all start-up processes to end. */
const SETTLE_MS = {usual: 3000, quick: 1000}
/** The programs of the guest's user: they are no part of envs. */
const GUESTS = new Set(['sleep', 'bash'])
/** Longer than the measurement. */
const SLEEP = ['sleep', '600']

/**
 * Starts an environment and one session for each measurement; the versions take turns. Counts every process of the user that began
 * since, so the user must begin no others.
 *
 * @param versions - Each with a stopped environment `warm`.
 * @throws {Error} If a session has ended before the measurement.
 */
export async function measureIdleMemory(
  versions: readonly Version[],
  {bench, isQuick}: {bench: Bench; isQuick: boolean},
): Promise<IdleMemory> {
  const found = new Map<string, Footprint[]>()
  for (let round = 0; round < (isQuick ? ROUNDS.quick : ROUNDS.usual); round++) {
    for (const version of round % 2 === 0 ? versions : versions.toReversed()) {
      for (const [how, invocation] of [
        ['', version.front('run', version.warm, '--', ...SLEEP)],
        [', on a terminal', onTerminal(version.front('enter', version.warm))],
      ] as const) {
        const name = `an idle session${how}${version.suffix}`
        await version.run('stop', '--force', version.warm)
        found.set(name, [
          ...(found.get(name) ?? []),
          await measureOnce(invocation, {version, bench, isQuick}),
        ])
        await version.run('stop', '--force', version.warm)
      }
    }
  }
  return {
    title: 'Memory of an idle session',
    compared:
      'All processes of a running environment and of one session that waits, without the programs of the guest; medians.',
    rows: [...found].map(([name, footprints]) => ({name, ...medianOf(footprints)})),
  }
}

async function measureOnce(
  {argv, variables = {}}: Invocation,
  {version, bench, isQuick}: {version: Version; bench: Bench; isQuick: boolean},
): Promise<Footprint> {
  const before = new Set(allProcesses())
  // Started here, so that the session itself needs no Node.
  await version.run('run', version.warm, 'true')
  const child = start(argv, {
    cwd: bench.folder,
    env: {...bench.environment, ...variables},
    ...bench.user,
    // The terminal lasts as long as its input.
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const end = new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve) => setTimeout(resolve, isQuick ? SETTLE_MS.quick : SETTLE_MS.usual))
  if (child.pid === undefined || child.exitCode !== null) throw new Error(`${argv.join(' ')} has ended`)
  const user = userOf(child.pid)
  const isTerminal = nameOf(child.pid) === 'script'
  const counted = allProcesses().filter(
    (pid) =>
      !before.has(pid) &&
      userOf(pid) === user &&
      !GUESTS.has(nameOf(pid)) &&
      !(isTerminal && pid === child.pid),
  )
  const footprint = {
    processes: counted.length,
    pssBytes: sum(counted.map((pid) => residentBytes(pid, 'Pss'))),
    privateBytes: sum(counted.map(privateBytes)),
  }
  for (const pid of family(child.pid)) kill(pid)
  await end
  return footprint
}

/** Replaces the shell that script(1) starts. */
function onTerminal({argv, ...rest}: Invocation): Invocation {
  const line = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  return {...rest, argv: ['script', '-qefc', `exec ${line}`, '/dev/null']}
}

export function renderIdleMemory({title, compared, rows}: IdleMemory): string {
  const columns: Parameters<typeof renderTable<IdleMemory['rows'][number]>>[1] = [
    {title: 'what', show: ({name}) => name},
    {title: 'processes', align: 'right', show: ({processes}) => String(processes)},
    {title: 'pss', align: 'right', show: ({pssBytes}) => formatBytes(pssBytes)},
    {title: 'private', align: 'right', show: (row) => formatBytes(row.privateBytes)},
  ]
  return [title, compared, renderTable(rows, columns, undefined)].join('\n')
}

function medianOf(footprints: readonly Footprint[]): Footprint {
  const middle = (pick: (footprint: Footprint) => number) => Math.round(quantile(footprints.map(pick), 0.5))
  return {
    processes: middle(({processes}) => processes),
    pssBytes: middle(({pssBytes}) => pssBytes),
    privateBytes: middle((footprint) => footprint.privateBytes),
  }
}
