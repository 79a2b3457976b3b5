import type {SessionWish} from '../../features/feature.js'
import type {Host} from '../../host/host.js'
import {readLiveAnchor, recordedConfinement} from '../../sandbox/anchor-state.js'
import {chooseEnvironment, type Environment, findEnvironment, listNames} from '../../store/environments.js'
import {EnvironmentNotFoundError, HistoryUnreadableError, RecordUnreadableError} from '../../store/errors.js'
import {readGuestTree} from '../../store/mounted-tree.js'
import {confinementOf} from '../../store/record.js'
import {networkResultOf} from '../network/settings.js'
import {type EngineSetting, engineFor} from '../session/engine.js'
import {planSpec} from '../session/plan.js'
import {guestProcesses} from '../session/processes.js'
import {type ExposureFacts, factsOfSpec, readFacts} from './facts.js'
import {judgeExposure, WITHOUT_ISOLATION} from './judge.js'
import {type ExposureLevel, highestLevel, reaches} from './levels.js'
import type {AuditResult, ExposureLine, ExposureResult} from './results.js'

/**
 * Reports what one environment can see and use of the host: by the kernel while it runs, else by the plan of its next start.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 * @throws As `engineFor` and `planSpec`, for a stopped environment.
 */
export async function reportExposure(
  host: Host,
  text: string | undefined,
  setting: EngineSetting,
): Promise<ExposureResult> {
  return examine(host, await chooseEnvironment(host.paths, text), setting)
}

/**
 * Reports the same of some environments, or of all.
 *
 * @param options.failOn - The level that is a finding.
 * @returns The reports, and whether one of them has that level.
 */
export async function audit(
  host: Host,
  names: readonly string[],
  {setting, failOn}: {readonly setting: EngineSetting; readonly failOn: ExposureLevel | undefined},
): Promise<{readonly result: AuditResult; readonly isFound: boolean}> {
  const environments: ExposureResult[] = []
  const unknown: string[] = []
  for (const name of names.length > 0 ? names : await listNames(host.paths)) {
    try {
      environments.push(await examine(host, await findEnvironment(host.paths, name), setting))
    } catch (error) {
      const isDamaged = error instanceof RecordUnreadableError || error instanceof HistoryUnreadableError
      // Another command may have removed one of the list.
      const isGone = names.length === 0 && error instanceof EnvironmentNotFoundError
      if (!isDamaged && !isGone) throw error
      if (isDamaged) unknown.push(name)
    }
  }
  const level = highestLevel(environments)
  const isFound = failOn !== undefined && (reaches(level, failOn) || unknown.length > 0)
  return {result: {level, failOn: failOn ?? null, environments, unknown}, isFound}
}

async function examine(
  host: Host,
  environment: Environment,
  setting: EngineSetting,
): Promise<ExposureResult> {
  const {name, files, record} = environment
  const anchor = readLiveAnchor(files.run)
  const others = guestProcesses(host, files).map(({hostPid}) => hostPid)
  const running = anchor === undefined ? undefined : await readFacts(host, anchor.pid, others)
  const confinement = running === undefined ? confinementOf(record) : recordedConfinement(files.run)
  const facts = running ?? (await planned(host, environment, setting))
  const {profile} = confinement
  const {allowHosts, publish} = networkResultOf(record)
  const lines: readonly ExposureLine[] =
    facts === 'no-isolation'
      ? WITHOUT_ISOLATION
      : judgeExposure(facts, {profile, allowedHosts: allowHosts, publications: publish})
  return {name, isRunning: running !== undefined, profile, level: highestLevel(lines), lines: [...lines]}
}

/** A session without options. */
const NO_WISH: SessionWish = {
  command: [],
  user: undefined,
  workingFolder: undefined,
  variables: [],
  volumes: [],
  durable: 'auto',
}

/** Returns the facts of a stopped environment. Starts nothing, and writes nothing. */
async function planned(
  host: Host,
  environment: Environment,
  setting: EngineSetting,
): Promise<ExposureFacts | 'no-isolation'> {
  const engine = await engineFor(host, setting, environment)
  if (engine === 'proot') return 'no-isolation'
  const state = {tree: await readGuestTree(environment), isPreview: true}
  const spec = await planSpec({host, environment, wish: NO_WISH}, engine, state)
  return factsOfSpec(host, spec, environment.record)
}
