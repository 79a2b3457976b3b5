import {gapsOnHost, isolationGaps} from '../features/isolation-gaps.js'
import type {Host} from '../host/host.js'
import {readLiveAnchor, recordedEngine, recordedNamespace} from '../sandbox/anchor-state.js'
import type {EngineName} from '../sandbox/engines/select.js'
import {EngineUnavailableError} from '../sandbox/errors.js'
import {chooseEnvironment} from '../store/environments.js'
import {readGuestTree, treeFolders} from '../store/mounted-tree.js'
import {initOf} from '../store/record.js'
import {currentSizes, lastUse} from '../store/sizes.js'
import {networkResultOf} from './network/settings.js'
import type {EnvironmentResult, PathResult} from './results.js'
import {type EngineSetting, findEngine, wantedEngine} from './session/engine.js'
import {guestProcesses} from './session/processes.js'

export type EnvironmentDetails = EnvironmentResult

/**
 * Returns all facts about one environment.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 * @param setting - The engine that would start a stopped environment.
 */
export async function showEnvironment(
  host: Host,
  text: string | undefined,
  setting: EngineSetting = 'auto',
): Promise<EnvironmentDetails> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files} = environment
  const {createdAt, image, identity, storage, architecture, extraction} = environment.record
  const anchor = readLiveAnchor(files.run)
  const processes = guestProcesses(host, files).length
  const tree = await readGuestTree(environment)
  const [sizes = {sizeBytes: 0, sharedBytes: 0}] = await currentSizes(host, [environment])
  const engine =
    anchor === undefined
      ? await engineForStart(host, wantedEngine(setting, environment.record))
      : recordedEngine(files.run)
  return {
    name,
    state: anchor === undefined && processes === 0 ? 'stopped' : 'running',
    path: treeFolders(host.paths, tree)[0],
    image: {...image, container: image.container ?? null},
    ...{createdAt, identity, storage, architecture, extraction},
    init: initOf(environment.record),
    ...networkResultOf(environment.record),
    ...sizes,
    snapshots: tree.kind === 'overlay' ? tree.history.snapshots.length : 0,
    lastUsedAt: (await lastUse(files.folder)) ?? null,
    processes,
    engine,
    isolationGaps:
      anchor === undefined
        ? await gapsOnHost(host, engine)
        : isolationGaps(engine, recordedNamespace(files.run)),
    anchorPid: anchor?.pid ?? null,
  }
}

/** Returns null where no engine works on this host, or the setting excludes those that could start the environment. */
async function engineForStart(host: Host, setting: EngineSetting | undefined): Promise<EngineName | null> {
  if (setting === undefined) return null
  try {
    return await findEngine(host, setting)
  } catch (error) {
    if (error instanceof EngineUnavailableError) return null
    throw error
  }
}

export type EnvironmentPath = PathResult

/**
 * Returns the folders of an environment's files.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 * @throws {HistoryUnreadableError}
 */
export async function environmentPath(
  {paths}: Pick<Host, 'paths'>,
  text: string | undefined,
): Promise<EnvironmentPath> {
  const environment = await chooseEnvironment(paths, text)
  const folders = treeFolders(paths, await readGuestTree(environment))
  return {name: environment.name, path: folders[0], layers: [...folders].reverse()}
}
