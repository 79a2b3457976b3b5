import {randomBytes} from 'node:crypto'
import type {Host} from '../host/host.js'
import {NO_ARCHIVES} from '../rootfs/apt/archives.js'
import type {Facts} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import type {EnvironmentName} from './name.js'

/** What the fixes of a new tree need to know. */
export function newTreeFacts(
  {architecture}: Pick<Host, 'architecture'>,
  known: Pick<Facts, 'name' | 'identity' | 'archives'>,
): Facts {
  return {
    ...known,
    machineId: randomBytes(16).toString('hex'),
    syncFilter: buildFilter(architecture, ['sync']).toString('base64'),
  }
}

/** What the fixes that write the environment's name need to know: the rest of the tree stays as it is. */
export function nameFacts(name: EnvironmentName, identity: Identity): Facts {
  return {name, identity, machineId: '', archives: NO_ARCHIVES, syncFilter: ''}
}
