import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {listProcesses} from '../sandbox/processes.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import type {EnvironmentRecord} from './record.js'
import {currentSizes, type Sizes} from './sizes.js'
import {chooseEnvironment} from './store.js'
import {lastUse} from './usage.js'

export type EnvironmentDetails = EnvironmentRecord &
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
    /** The first process as the host sees it; null when it is stopped. */
    readonly anchorPid: number | null
  }

/** Everything known of one environment. @param text - Its name; undefined for the only one. */
export async function showEnvironment(host: Host, text: string | undefined): Promise<EnvironmentDetails> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files, record} = environment
  const anchor = readLiveAnchor(files.run)
  const tree = await readGuestTree(environment)
  const [sizes = {sizeBytes: 0, sharedBytes: 0}] = await currentSizes(host, [environment])
  return {
    name,
    state: anchor === undefined ? 'stopped' : 'running',
    path: treeFolders(host.paths, tree)[0],
    ...record,
    ...sizes,
    snapshots: tree.kind === 'overlay' ? tree.history.snapshots.length : 0,
    lastUsedAt: (await lastUse(files.folder)) ?? null,
    processes: anchor === undefined ? 0 : listProcesses(anchor).length,
    anchorPid: anchor?.pid ?? null,
  }
}
