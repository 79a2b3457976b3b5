import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {listProcesses} from '../sandbox/processes.js'
import type {EnvironmentRecord} from './record.js'
import {chooseEnvironment} from './store.js'
import {currentUsage, lastUse} from './usage.js'

export type EnvironmentDetails = EnvironmentRecord & {
  readonly name: string
  readonly state: 'running' | 'stopped'
  readonly path: string
  readonly sizeBytes: number | null
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
  const [usage] = await currentUsage(host, [environment])
  return {
    name,
    state: anchor === undefined ? 'stopped' : 'running',
    path: files.root,
    ...record,
    sizeBytes: usage?.sizeBytes ?? null,
    lastUsedAt: (await lastUse(files.folder)) ?? null,
    processes: anchor === undefined ? 0 : listProcesses(anchor).length,
    anchorPid: anchor?.pid ?? null,
  }
}
