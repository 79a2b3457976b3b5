import {randomBytes} from 'node:crypto'
import {join} from 'node:path'
import {EnvsError} from '../errors.js'
import {ignoreFailure} from '../host/errno.js'
import {type Lock, takeLock} from '../host/flock.js'
import {namesIn} from '../host/folders.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {removeTree} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {type EnvironmentName, isEnvironmentName} from './name.js'
import {environmentFiles} from './store.js'
import {treeProcess} from './toolbox.js'

/** A folder of the store that is no environment: one being made, or one being removed. */
export type Leftover = {
  readonly kind: 'partial' | 'removed'
  readonly identity: Identity
  readonly name: EnvironmentName
  readonly folder: string
}

/** The identity stands in the name: a tree can only be removed by the one that made it. */
const FORM = /^\.(?<kind>partial|removed)\.(?<identity>mapped|emulated)\.[0-9a-f]{8}\.(?<name>.+)$/

export function leftoverFolder(paths: Paths, {kind, identity, name}: Omit<Leftover, 'folder'>): string {
  return join(paths.environments, `.${kind}.${identity}.${randomBytes(4).toString('hex')}.${name}`)
}

/**
 * Removes what killed commands left behind. A folder whose environment is locked is somebody's work: left alone.
 *
 * @returns What is gone, in no order; what can't be removed is tried again the next time.
 */
export async function sweepLeftovers(host: Host): Promise<Leftover[]> {
  const swept: Leftover[] = []
  for (const leftover of findLeftovers(host.paths)) {
    if (await sweep(host, leftover)) swept.push(leftover)
  }
  return swept
}

/** Tidying up is nobody's errand: where it can't be done, the command that came by goes on. */
async function sweep(host: Host, leftover: Leftover): Promise<boolean> {
  const lock = await tryLock(host.paths, leftover)
  if (lock === undefined) return false
  try {
    return (await removeLeftover(host, leftover)).failures.length === 0
  } catch (error) {
    if (!(error instanceof EnvsError)) throw error
    return false
  } finally {
    lock.release()
  }
}

/** @returns undefined for what is somebody's work. */
function tryLock(paths: Paths, {name}: Leftover): Promise<Lock | undefined> {
  return takeLock(environmentFiles(paths, name).lock, {mode: 'exclusive', waitMs: 0}).catch(ignoreFailure)
}

/** What {@link sweepLeftovers} would remove now. */
export async function listLeftovers({paths}: Pick<Host, 'paths'>): Promise<Leftover[]> {
  const free: Leftover[] = []
  for (const leftover of findLeftovers(paths)) {
    const lock = await tryLock(paths, leftover)
    if (lock !== undefined) free.push(leftover)
    lock?.release()
  }
  return free
}

export async function removeLeftover(
  host: Host,
  {identity, folder}: Leftover,
): ReturnType<typeof removeTree> {
  return removeTree(await treeProcess(host, identity), folder)
}

function findLeftovers(paths: Paths): Leftover[] {
  return namesIn(paths.environments).flatMap((entry) => parseLeftover(paths, entry) ?? [])
}

function parseLeftover(paths: Paths, entry: string): Leftover | undefined {
  const {kind, identity, name} = FORM.exec(entry)?.groups ?? {}
  if (kind !== 'partial' && kind !== 'removed') return undefined
  if (identity !== 'mapped' && identity !== 'emulated') return undefined
  if (name === undefined || !isEnvironmentName(name)) return undefined
  return {kind, identity, name, folder: join(paths.environments, entry)}
}
