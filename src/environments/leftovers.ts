import {randomBytes} from 'node:crypto'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {takeLock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {type RemoveReport, removeTree} from '../rootfs/tree-process.js'
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
  for (const leftover of await findLeftovers(host.paths)) {
    const lock = await takeLock(environmentFiles(host.paths, leftover.name).lock, {
      mode: 'exclusive',
      waitMs: 0,
    })
    if (lock === undefined) continue
    try {
      if ((await removeLeftover(host, leftover)).failures.length === 0) swept.push(leftover)
    } finally {
      lock.release()
    }
  }
  return swept
}

export async function removeLeftover(host: Host, {identity, folder}: Leftover): Promise<RemoveReport> {
  return removeTree(treeProcess(host, identity), folder)
}

async function findLeftovers(paths: Paths): Promise<Leftover[]> {
  const entries = await readdir(paths.environments).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  return entries.flatMap((entry) => parseLeftover(paths, entry) ?? [])
}

function parseLeftover(paths: Paths, entry: string): Leftover | undefined {
  const {kind, identity, name} = FORM.exec(entry)?.groups ?? {}
  if (kind !== 'partial' && kind !== 'removed') return undefined
  if (identity !== 'mapped' && identity !== 'emulated') return undefined
  if (name === undefined || !isEnvironmentName(name)) return undefined
  return {kind, identity, name, folder: join(paths.environments, entry)}
}
