import {lstat, opendir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256} from '../host/digest.js'
import {ignoring, isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {takeLock} from '../host/locks.js'
import {type Paths, sharedPackages} from '../host/paths.js'
import {type Prunable as PrunableImage, pruneImages} from '../images/cache/remove.js'
import {measureTrees} from '../rootfs/worker/api.js'
import {isRunning} from '../sandbox/anchor.js'
import {type Environment, findEnvironment, findWholeEnvironment, listNames} from '../store/environments.js'
import {EnvironmentNotFoundError, HistoryUnreadableError, RecordUnreadableError} from '../store/errors.js'
import {findLayerLeftovers, listLeftovers, sweepLayers, sweepLeftovers, type Uncounted} from '../store/gc.js'
import {type History, layersOf, readHistory, withoutSnapshots, writeHistory} from '../store/history.js'
import {readStoredLayer, removeStoredLayers} from '../store/image-layers.js'
import {withReserve} from '../store/integrity/reserve.js'
import type {LayerId} from '../store/layers.js'
import {currentSizes, measureParts} from '../store/sizes.js'
import {treeProcess} from '../store/tools.js'
import {deleteRemoved, measureTrash, sweepTrash} from '../store/trash.js'
import {sweepExports} from './export/abandoned.js'
import {findUnusedImageTrees, findUnusedStoredLayers, imageUsers, removeImageTrees} from './image-trees.js'
import type {PruneResult} from './results.js'
import {removeTry, sweepTries} from './try/keep.js'
import {listTries, type Try} from './try/tries.js'

/** An item of the store that no environment needs. */
export type Prunable = PruneResult['pruned'][number]

/** A prunable item, and the function that removes it. */
type RemovablePrunable = Prunable & {
  /** @returns Whether the item was removed; false where another command has begun to use it. */
  readonly remove: () => Promise<boolean>
}

/**
 * Finds the prunable items of the store. Leaves out the items that a running command or environment uses.
 *
 * @param options.removed - Whether removed environments that can be recovered are prunable.
 * @param options.olderThan - Limit for automatic snapshots (creation), and for packages and images (last use).
 */
export async function findPrunable(
  host: Host,
  {olderThan, removed}: {olderThan: Date; removed: boolean},
): Promise<RemovablePrunable[]> {
  await sweepTrash(host)
  await sweepExports(host)
  await sweepTries(host)
  const tries = (await listTries(host.paths)).filter(({hasEnded}) => hasEnded)
  const gone = new Set<string>(tries.map(({name}) => name))
  return [
    ...(removed ? await findTrash(host) : []),
    ...(await findTries(host, tries)),
    ...(await findLeftovers(host)),
    ...(await findImageTrees(host, {except: gone, exceptRemoved: removed})),
    ...(await findByAge(host, {olderThan, except: gone})),
  ]
}

/** Finds the items that are removed if they were not used, or made, since a time. */
export async function findByAge(
  host: Host,
  {olderThan, except}: {olderThan: Date; except: ReadonlySet<string>},
): Promise<RemovablePrunable[]> {
  return [
    ...(await findImages(host, {olderThan, except})),
    ...(await findPackages(host, olderThan)),
    // Last: the removal of snapshots writes a history, which needs free space on a full disk.
    ...(await findSnapshots(host, {olderThan, except})),
  ]
}

/**
 * Removes the items in their order. A failure does not stop the removal of the other items.
 *
 * @returns The removed items, and the first failure.
 */
export async function removePrunable(
  found: readonly RemovablePrunable[],
): Promise<{removed: Prunable[]; failure: {error: unknown} | undefined}> {
  const removed: Prunable[] = []
  let failure: {error: unknown} | undefined
  for (const {remove, ...prunable} of found) {
    try {
      if (await remove()) removed.push(prunable)
    } catch (error) {
      failure ??= {error}
    }
  }
  return {removed, failure}
}

async function findTrash(host: Host): Promise<RemovablePrunable[]> {
  return (await measureTrash(host)).map(({removed, sizeBytes}) => ({
    kind: 'removed',
    name: removed.name,
    count: 1,
    sizeBytes,
    reason: 'removed',
    remove: () => deleteRemoved(host, removed),
  }))
}

async function findTries(host: Host, tries: readonly Try[]): Promise<RemovablePrunable[]> {
  const found = await Promise.all(tries.map(({name}) => findWholeEnvironment(host.paths, name)))
  const environments = found.filter((each) => each !== undefined)
  const sizes = await currentSizes(host, environments)
  const sizeOf = new Map(environments.map(({name}, index) => [name, sizes[index]?.sizeBytes]))
  return tries.map(({name}) => ({
    kind: 'try',
    name,
    count: 1,
    sizeBytes: sizeOf.get(name) ?? 0,
    reason: 'ended',
    remove: () => removeTry(host, {name}),
  }))
}

async function findSnapshots(
  host: Host,
  {olderThan, except}: {olderThan: Date; except: ReadonlySet<string>},
): Promise<RemovablePrunable[]> {
  const found = await findOldSnapshots(host, olderThan)
  return found.flatMap(({environment, labels, sizeBytes}) =>
    except.has(environment.name)
      ? []
      : {
          kind: 'snapshots',
          name: environment.name,
          count: labels.size,
          sizeBytes,
          reason: 'old',
          remove: () => removeOldSnapshots(host, environment, olderThan),
        },
  )
}

async function findLeftovers(host: Host): Promise<RemovablePrunable[]> {
  const folders = await listLeftovers(host)
  const layers = await findLayerLeftovers(host)
  const found: RemovablePrunable[] = []
  for (const identity of ['mapped', 'emulated'] as const) {
    const paths = [...folders, ...layers]
      .filter((each) => each.identity === identity)
      .map(({folder}) => folder)
    if (paths.length === 0) continue
    const sizes = await measureTrees(await treeProcess(host, identity), paths)
    const sizeBytes = sizes.reduce((sum, each) => sum + each, 0)
    found.push({
      kind: 'leftover',
      name: null,
      count: paths.length,
      sizeBytes,
      reason: 'unfinished',
      remove: async () => {
        await sweepLeftovers(host)
        await sweepLayers(host)
        return true
      },
    })
  }
  return found
}

async function findImageTrees(host: Host, uncounted: Uncounted): Promise<RemovablePrunable[]> {
  const trees = await findUnusedImageTrees(host.paths, uncounted)
  const found = trees.map(
    ({id, name, sizeBytes}): RemovablePrunable => ({
      kind: 'image-tree',
      name,
      count: 1,
      sizeBytes,
      reason: 'unused',
      remove: () => removeImageTrees(host, new Set([id])),
    }),
  )
  return [...found, ...(await findStoredLayers(host, new Set(trees.map(({id}) => id))))]
}

/** Finds the layers of images that nothing needs without these trees, which are removed before. */
async function findStoredLayers(host: Host, going: ReadonlySet<LayerId>): Promise<RemovablePrunable[]> {
  const ids = await findUnusedStoredLayers(host, going)
  if (ids.length === 0) return []
  const layers = ids.flatMap((id) => readStoredLayer(host.paths, id) ?? [])
  return [
    {
      kind: 'image-layers',
      name: null,
      count: ids.length,
      // A tree that is removed too has been counted, with the files that it shares.
      sizeBytes: going.size > 0 ? 0 : layers.reduce((sum, {report}) => sum + report.totalBytes, 0),
      reason: 'unused',
      remove: () => removeStoredLayers(host, ids),
    },
  ]
}

async function findImages(
  host: Host,
  {olderThan, except}: {olderThan: Date; except: ReadonlySet<string>},
): Promise<RemovablePrunable[]> {
  const {images} = host.paths
  const spared = new Set((await imageUsers(host.paths, except)).keys())
  const options = {olderThan, spared, now: host.now()}
  const found = await pruneImages(images, {...options, dryRun: true})
  const isSame = (a: PrunableImage, b: PrunableImage) => a.sha256 === b.sha256 && a.reason === b.reason
  let pruned: Promise<readonly PrunableImage[]> | undefined
  return found.map((image) => ({
    kind: 'image',
    name: image.name === null ? image.sha256.slice(0, 12) : `${image.name} ${image.version}`,
    count: 1,
    sizeBytes: image.sizeBytes,
    reason: image.reason,
    remove: async () => {
      pruned ??= pruneImages(images, {...options, dryRun: false})
      return (await pruned).some((other) => isSame(other, image))
    },
  }))
}

async function findPackages(host: Host, olderThan: Date): Promise<RemovablePrunable[]> {
  const {count, sizeBytes} = await findOldPackages(host.paths, olderThan)
  if (count === 0) return []
  return [
    {
      kind: 'packages',
      name: null,
      count,
      sizeBytes,
      reason: 'unused',
      remove: async () => {
        await removePackages(host.paths, olderThan)
        return true
      },
    },
  ]
}

/** Bounds the read of a folder that a guest can fill: no usual package cache comes near this number. */
const MAX_ENTRIES = 200_000

type PackageUsage = {readonly count: number; readonly sizeBytes: number}

/** Finds the shared packages last used before a time. Guests can write to the folder: no symlink in it is followed. */
async function findOldPackages(paths: Pick<Paths, 'packages'>, olderThan: Date): Promise<PackageUsage> {
  const old = await readOld(sharedPackages(paths), olderThan)
  return {count: old.length, sizeBytes: old.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)}
}

async function removePackages(paths: Pick<Paths, 'packages'>, olderThan: Date): Promise<void> {
  for (const {path} of await readOld(sharedPackages(paths), olderThan)) await unlink(path).catch(ignoring())
}

async function readOld(folder: string, olderThan: Date): Promise<{path: string; sizeBytes: number}[]> {
  const old: {path: string; sizeBytes: number}[] = []
  try {
    let entries = 0
    for await (const {name} of await opendir(folder)) {
      if (++entries > MAX_ENTRIES) break
      if (!isSha256(name)) continue
      const path = join(folder, name)
      const status = await lstat(path).catch(ignoring())
      if (status?.isFile() === true && status.mtime < olderThan)
        old.push({path, sizeBytes: status.blocks * 512})
    }
  } catch (error) {
    // The folder does not exist yet, or a guest has removed its read permission.
    if (!isErrno(error)) throw error
  }
  return old
}

type OldSnapshots = {
  readonly environment: Environment
  readonly labels: ReadonlySet<string>
  /** Size of the layers that only these snapshots use. */
  readonly sizeBytes: number
}

/** Finds the old automatic snapshots of stopped environments. */
async function findOldSnapshots(host: Host, olderThan: Date): Promise<OldSnapshots[]> {
  const found: OldSnapshots[] = []
  for (const name of await listNames(host.paths)) {
    const environment = await findEnvironment(host.paths, name).catch(ignoreUnreadable)
    const old =
      environment === undefined
        ? undefined
        : await findOldSnapshotsOf(host, environment, olderThan).catch(ignoreUnreadable)
    if (old !== undefined) found.push(old)
  }
  return found
}

async function findOldSnapshotsOf(
  host: Host,
  environment: Environment,
  olderThan: Date,
): Promise<OldSnapshots | undefined> {
  const history = await readHistory(environment.files.history).catch(ignoreUnreadable)
  if (history === undefined || (await isRunning(environment.files.run))) return undefined
  const labels = oldLabels(history, olderThan)
  if (labels.size === 0) return undefined
  const released = releasedLayers(history, labels)
  const [parts = []] = await measureParts(host, [environment])
  const sizeBytes = parts
    .filter(({layer, isShared}) => layer !== undefined && !isShared && released.has(layer))
    .reduce((sum, part) => sum + part.sizeBytes, 0)
  return {environment, labels, sizeBytes}
}

/** Removes the old automatic snapshots of an environment. @returns Whether they were removed; false when it is in use. */
async function removeOldSnapshots(host: Host, {files}: Environment, olderThan: Date): Promise<boolean> {
  const lock = await takeLock(files.lock, {mode: 'exclusive', waitMs: 0})
  if (lock === undefined) return false
  try {
    const history = await readHistory(files.history).catch(ignoreUnreadable)
    if (history === undefined || (await isRunning(files.run))) return false
    const labels = oldLabels(history, olderThan)
    await withReserve(host.paths, () => writeHistory(files.history, withoutSnapshots(history, labels)))
    await sweepLayers(host, releasedLayers(history, labels))
    return true
  } finally {
    lock.release()
  }
}

function oldLabels({snapshots}: History, olderThan: Date): ReadonlySet<string> {
  const old = snapshots.filter(({kind, createdAt}) => kind === 'automatic' && createdAt < olderThan)
  return new Set(old.map(({label}) => label))
}

/** Returns the layers that the environment does not need without these snapshots. */
function releasedLayers(history: History, labels: ReadonlySet<string>): ReadonlySet<LayerId> {
  const kept = layersOf(withoutSnapshots(history, labels))
  return new Set([...layersOf(history)].filter((layer) => !kept.has(layer)))
}

function ignoreUnreadable(error: unknown): undefined {
  const isDamaged = error instanceof RecordUnreadableError || error instanceof HistoryUnreadableError
  if (isDamaged || error instanceof EnvironmentNotFoundError) return
  // A file that can't be read must not stop the search in the other environments.
  if (!isErrno(error)) throw error
}
