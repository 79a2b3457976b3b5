import type {Host} from '../host/host.js'
import {readLiveAnchor, recordedEngine, recordedNamespace} from '../sandbox/anchor-state.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import {EngineUnavailableError} from '../sandbox/errors.js'
import {type EngineSetting, findEngine} from './engine.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import {gapsOnHost, isolationGaps} from './isolation-gaps.js'
import {guestProcesses} from './processes.js'
import type {EnvironmentResult} from './results.js'
import {currentSizes} from './sizes.js'
import {chooseEnvironment} from './store.js'
import {lastUse} from './usage.js'

export type EnvironmentDetails = EnvironmentResult

/**
 * Everything known of one environment.
 *
 * @param text - Its name; undefined for the only one.
 * @param setting - The engine that is asked for.
 */
export async function showEnvironment(
  host: Host,
  text: string | undefined,
  setting: EngineSetting = 'auto',
): Promise<EnvironmentDetails> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files} = environment
  const {settings: _, ...record} = environment.record
  const anchor = readLiveAnchor(files.run)
  const processes = guestProcesses(host, files).length
  const tree = await readGuestTree(environment)
  const [sizes = {sizeBytes: 0, sharedBytes: 0}] = await currentSizes(host, [environment])
  const engine = anchor === undefined ? await engineInForce(host, setting) : recordedEngine(files.run)
  return {
    name,
    state: anchor === undefined && processes === 0 ? 'stopped' : 'running',
    path: treeFolders(host.paths, tree)[0],
    ...record,
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

async function engineInForce(host: Host, setting: EngineSetting): Promise<EngineName | null> {
  try {
    return await findEngine(host, setting)
  } catch (error) {
    if (error instanceof EngineUnavailableError) return null
    throw error
  }
}
