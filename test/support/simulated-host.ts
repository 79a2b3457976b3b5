import assert from 'node:assert/strict'
import {fileURLToPath} from 'node:url'
import type {CheckId, HostCheck} from '../../src/doctor/index.js'
import type {MappingProbe} from '../../src/host/id-mapping.js'
import {capture} from '../../src/host/process.js'
import {sourceProgram} from './source-program.js'

const REPORT = sourceProgram('report-host')
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

type Simulation = {
  /** Shell commands that make the host poorer, run as root of a throwaway user and mount namespace. */
  readonly prepare?: string
  /** Have the namespace map this user's range, so that ids can be given away in it. */
  readonly hasIds?: boolean
  /** Words before node, such as setpriv and its options. */
  readonly prefix?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** What `probeMapped` says on a host that really is so. */
export async function mappingOn(simulation: Simulation): Promise<MappingProbe> {
  return JSON.parse(await report('mapping', simulation))
}

/** The id map of a program behind `treePrefix('mapped')`, on a host that really is so. */
export async function idMapOn(simulation: Simulation): Promise<number[][]> {
  return JSON.parse(await report('id-map', simulation))
}

/** What `examineHost` says on a host that really is so. */
export async function doctorOn(simulation: Simulation): Promise<{checks: HostCheck[]; canRun: boolean}> {
  return JSON.parse(await report('doctor', simulation))
}

/** One check of {@link doctorOn}. */
export async function checkOn(id: CheckId, simulation: Simulation): Promise<HostCheck> {
  const found = (await doctorOn(simulation)).checks.find((check) => check.id === id)
  assert.ok(found, id)
  return found
}

/** Covers programs wherever envs looks for them. A file covered so is no program any more: /dev/null can't be executed. */
export function hide(...programs: readonly string[]): string {
  return [
    `IFS=:; for folder in $PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; do`,
    `for program in ${programs.join(' ')}; do`,
    `[ ! -f "$folder/$program" ] || mount --bind /dev/null "$(readlink -f "$folder/$program")"`,
    `done; done; unset IFS`,
  ].join('\n')
}

/** False where the simulation itself can't be had: no user namespaces for the tests. */
export async function canSimulate(): Promise<boolean> {
  return (await capture(['unshare', '--map-root-user', '--mount', 'true'], {timeout: 10_000})).status === 0
}

async function report(
  what: string,
  {prepare, hasIds = false, prefix = [], environment = {}}: Simulation,
): Promise<string> {
  const program = [...prefix, ...REPORT, what]
  const inside = [
    'unshare',
    ...(hasIds ? ['--map-auto'] : []),
    '--map-root-user',
    '--mount',
    'sh',
    '-ec',
    `${prepare}\nexec "$@"`,
    'sh',
    ...program,
  ]
  const ran = await capture(prepare === undefined ? program : inside, {
    cwd: ROOT,
    env: {...process.env, ...environment},
    timeout: 30_000,
  })
  assert.equal(ran.status, 0, ran.stderr)
  return ran.stdout
}
