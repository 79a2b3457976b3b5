import type {IsolationGap} from '../features/feature.js'
import type {Host} from '../host/host.js'
import {readLiveAnchor, recordedEngine, recordedNamespace} from '../sandbox/anchor-state.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import {EngineUnavailableError} from '../sandbox/errors.js'
import {type EngineSetting, findEngine} from './engine.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import {gapsOnHost, isolationGaps} from './isolation-gaps.js'
import {guestProcesses} from './processes.js'
import type {EnvironmentRecord} from './record.js'
import {currentSizes, type Sizes} from './sizes.js'
import {chooseEnvironment} from './store.js'
import {lastUse} from './usage.js'

export type EnvironmentDetails = Omit<EnvironmentRecord, 'settings'> &
  Sizes & {
    readonly name: string
    readonly state: 'running' | 'stopped'
    /** Where what it writes goes: its whole tree, or what it has changed of the layers below. */
    readonly path: string
    /** Points in time that it can go back to. */
    readonly snapshots: number
    readonly lastUsedAt: Date | null
    /** Processes in the guest; 0 when it is stopped. */
    readonly processes: number
    /** What it was started with; while it is stopped, what it would be. Null where nothing works. */
    readonly engine: EngineName | null
    /** What that engine does not hold off. */
    readonly isolationGaps: readonly IsolationGap[]
    /** The first process as the host sees it; null when it is stopped. */
    readonly anchorPid: number | null
  }

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
