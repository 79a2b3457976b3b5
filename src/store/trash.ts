import {rename, statfs} from 'node:fs/promises'
import {basename} from 'node:path'
import {bytesOfDisk, millisecondsOf} from '../config/schema.js'
import type {Settings} from '../config/settings.js'
import {ignoreFailure, ignoring, isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {
  type EnvironmentFiles,
  filesIn,
  findRemoved,
  listRemoved,
  type RemovedEnvironment,
  removedFolder,
  syncNames,
} from './environments.js'
import {HistoryUnreadableError, removalIncompleteError} from './errors.js'
import {countClaims, type Leftover, leftoverFolder, removeLeftover, sweepLayers} from './gc.js'
import {layersOf, readHistory} from './history.js'
import {withReserve} from './integrity/reserve.js'
import type {LayerId} from './layers.js'
import {holdLayers, tryLockLayers} from './locks.js'
import {measureParts} from './sizes.js'

/** How long, and in how much space, removed environments can be recovered. */
export type TrashBounds = {readonly keptForMs: number; readonly maxBytes: number}

/** Returns the bounds in force; undefined where one of them is zero, and a removal is final. */
export async function trashBounds(
  {paths}: Pick<Host, 'paths'>,
  settings: Settings,
): Promise<TrashBounds | undefined> {
  const keptForMs = millisecondsOf(settings.value('trashTime'))
  const size = settings.value('trashSize')
  const {blocks, bsize} = await diskOf(paths)
  const maxBytes = bytesOfDisk(size, blocks * bsize)
  return keptForMs > 0 && maxBytes > 0 ? {keptForMs, maxBytes} : undefined
}

/** Returns the free bytes of the disk with the environments. */
export async function freeSpace({paths}: Pick<Host, 'paths'>): Promise<number> {
  const {bavail, bsize} = await diskOf(paths)
  return bavail * bsize
}

async function diskOf({environments}: Pick<Host['paths'], 'environments'>) {
  // Without the folder there is no environment to remove.
  const none = {blocks: 0, bavail: 0, bsize: 0}
  return (await statfs(environments).catch(ignoring('ENOENT'))) ?? none
}

/**
 * Moves an environment to the trash by one rename. The caller holds the exclusive lock of its name, which is free afterwards.
 *
 * @throws {@link layersBusyError}
 */
export async function moveToTrash(
  host: Host,
  {name, files, identity}: Pick<RemovedEnvironment, 'name' | 'identity'> & {readonly files: EnvironmentFiles},
  {keptForMs}: Pick<TrashBounds, 'keptForMs'>,
): Promise<RemovedEnvironment> {
  // A garbage collection that has listed the old name only would remove the layers.
  const held = await holdLayers(host.paths)
  try {
    const removedAt = host.now()
    const {folder, keptUntil} = removedFolder(host.paths, {identity, name, removedAt, keptForMs})
    await withReserve(host.paths, () => rename(files.folder, folder))
    await syncNames(host.paths)
    return {name, identity, removedAt, keptUntil, folder}
  } finally {
    held.release()
  }
}

/** Deletes the removed environments whose time has expired. Ignores failures, as every sweep does; the next one tries again. */
export async function sweepTrash(host: Host): Promise<void> {
  const now = host.now()
  const expired = listRemoved(host.paths).filter(({keptUntil}) => keptUntil <= now)
  await deleteUnlessRecovered(host, expired).catch(ignoreFailure)
}

/** A removed environment, and the space that its deletion would free. */
export type MeasuredRemoved = {readonly removed: RemovedEnvironment; readonly sizeBytes: number}

/**
 * Deletes removed environments, the first removed first, until the others fit the bound.
 *
 * @param options.spared - Folders that are never deleted: the user has just removed those environments.
 * @returns The environments that remain, and those that were deleted.
 */
export async function limitTrash(
  host: Host,
  {maxBytes, spared}: Pick<TrashBounds, 'maxBytes'> & {readonly spared: ReadonlySet<string>},
): Promise<{kept: MeasuredRemoved[]; deleted: MeasuredRemoved[]}> {
  const measured = await measureTrash(host)
  const kept: MeasuredRemoved[] = []
  const over: MeasuredRemoved[] = []
  let total = 0
  for (const each of measured) {
    total += each.sizeBytes
    if (total > maxBytes && !spared.has(each.removed.folder)) over.push(each)
    else kept.push(each)
  }
  const gone = new Set(
    await deleteUnlessRecovered(
      host,
      over.map(({removed}) => removed),
    ),
  )
  return {
    kept: [...kept, ...over.filter(({removed}) => !gone.has(removed))],
    deleted: over.filter(({removed}) => gone.has(removed)),
  }
}

/** Returns the removed environments, the last removed first. A layer that several of them use counts for the first one. */
export async function measureTrash(host: Host): Promise<MeasuredRemoved[]> {
  const {paths} = host
  const all = listRemoved(paths)
  const found = await Promise.all(all.map((removed) => findRemoved(paths, removed)))
  const environments = found.filter((each) => each !== undefined)
  const parts = await measureParts(host, environments)
  const counted = new Set((await countClaims(paths, {exceptRemoved: true})).keys())
  return all.map((removed, index) => {
    const environment = found[index]
    let sizeBytes = 0
    for (const part of environment === undefined ? [] : (parts[environments.indexOf(environment)] ?? [])) {
      if (part.isImages || (part.layer !== undefined && counted.has(part.layer))) continue
      if (part.layer !== undefined) counted.add(part.layer)
      sizeBytes += part.sizeBytes
    }
    return {removed, sizeBytes}
  })
}

/**
 * Deletes removed environments, unless a command that recovers one, or makes a layer, is running.
 *
 * @returns The deleted ones.
 */
async function deleteUnlessRecovered(
  host: Host,
  list: readonly RemovedEnvironment[],
): Promise<RemovedEnvironment[]> {
  if (list.length === 0) return []
  const lock = await tryLockLayers(host.paths)
  if (lock === undefined) return []
  const taken: Taken[] = []
  try {
    for (const removed of list) {
      const one = await takeOut(host, removed)
      if (one !== undefined) taken.push(one)
    }
  } finally {
    lock.release()
  }
  for (const one of taken) await deleteWithLayers(host, one).catch(ignoreFailure)
  return taken.map(({removed}) => removed)
}

/**
 * Deletes a removed environment for good.
 *
 * @returns Whether it was deleted; false when another command has recovered or deleted it.
 * @throws {@link removalIncompleteError}
 */
export async function deleteRemoved(host: Host, removed: RemovedEnvironment): Promise<boolean> {
  const taken = await takeOut(host, removed)
  if (taken === undefined) return false
  await deleteWithLayers(host, taken)
  return true
}

/** A removed environment that can't be recovered any more. */
type Taken = {
  readonly removed: RemovedEnvironment
  readonly leftover: Leftover
  readonly layers: ReadonlySet<LayerId>
}

/** One rename decides between a command that deletes a removed environment and one that recovers it. */
async function takeOut(host: Host, removed: RemovedEnvironment): Promise<Taken | undefined> {
  const {name, identity} = removed
  try {
    const layers = await layersIn(filesIn(removed.folder))
    const folder = leftoverFolder(host.paths, {kind: 'removed', identity, name})
    await withReserve(host.paths, () => rename(removed.folder, folder))
    return {removed, leftover: {kind: 'removed', identity, name, folder}, layers}
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    return undefined
  }
}

/** Returns the layers of an environment, which others may share; none where its history can't be read. */
export async function layersIn({history}: Pick<EnvironmentFiles, 'history'>): Promise<ReadonlySet<LayerId>> {
  return readHistory(history).then(layersOf, (error: unknown) => {
    if (!isErrno(error, 'ENOENT') && !(error instanceof HistoryUnreadableError)) throw error
    return new Set()
  })
}

/** Deletes the folder of an environment, which was moved aside, and the layers that no other one uses. @throws {@link removalIncompleteError} */
export async function deleteWithLayers(
  host: Host,
  {leftover, layers}: Pick<Taken, 'leftover' | 'layers'>,
): Promise<void> {
  let left: string[] = []
  try {
    await deleteLeftover(host, leftover)
  } finally {
    left = await sweepLayers(host, layers)
  }
  if (left.length === 0) return
  throw removalIncompleteError({
    ...{count: left.length, name: leftover.name, folder: host.paths.layers},
    files: left.map((folder) => basename(folder)),
  })
}

/** Deletes a folder that was moved aside. @throws {@link removalIncompleteError} */
async function deleteLeftover(host: Host, leftover: Leftover): Promise<void> {
  const {failures} = await removeLeftover(host, leftover)
  if (failures.length === 0) return
  const files = failures.slice(0, 5).map(({path, code}) => `${path} (${code})`)
  throw removalIncompleteError({
    ...{count: failures.length, name: leftover.name, folder: leftover.folder},
    files: failures.length > 5 ? [...files, '…'] : files,
  })
}
