import type {Host} from '../host/host.js'
import type {Prunable as PrunableImage} from '../images/cache/removal.js'
import {pruneImages} from '../images/cache/removal.js'
import {measureTrees} from '../rootfs/tree-process.js'
import {findUnusedImageTrees, removeImageTrees} from './image-trees.js'
import {imageUsers} from './image-users.js'
import {findLayerLeftovers, sweepLayers} from './layer-sweep.js'
import {listLeftovers, sweepLeftovers} from './leftovers.js'
import {findOldPackages, removePackages} from './package-prune.js'
import type {PruneResult} from './results.js'
import {currentSizes} from './sizes.js'
import {findOldSnapshots, removeOldSnapshots} from './snapshot-prune.js'
import {findWholeEnvironment} from './store.js'
import {treeProcess} from './toolbox.js'
import {listTries, type Try} from './tries.js'
import {removeTry, sweepTries} from './try-sweep.js'

/** Something of the store that can go without an environment missing it. */
export type Prunable = PruneResult['pruned'][number]

/** What can go, and what takes it away. */
type Found = Prunable & {
  /** @returns Whether it is gone; false where somebody has begun to use it. */
  readonly remove: () => Promise<boolean>
}

/**
 * Finds what is not worth its room. What a running command or environment has is left out.
 *
 * @param olderThan - Snapshots nobody asked for, packages and images go if they are older, or were not used since.
 */
export async function findPrunable(host: Host, {olderThan}: {olderThan: Date}): Promise<Found[]> {
  await sweepTries(host)
  const tries = (await listTries(host.paths)).filter(({hasEnded}) => hasEnded)
  const gone = new Set<string>(tries.map(({name}) => name))
  return [
    ...(await findTries(host, tries)),
    ...(await findLeftovers(host)),
    ...(await findImageTrees(host, gone)),
    ...(await findImages(host, {olderThan, except: gone})),
    ...(await findPackages(host, olderThan)),
    // A history is written for it: on a full disk there has to be room by then.
    ...(await findSnapshots(host, {olderThan, except: gone})),
  ]
}

/**
 * Takes away what was found, in its order. What can't be removed keeps nothing else from it.
 *
 * @returns What is gone, and the first failure.
 */
export async function removePrunable(
  found: readonly Found[],
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

async function findTries(host: Host, tries: readonly Try[]): Promise<Found[]> {
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
): Promise<Found[]> {
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

async function findLeftovers(host: Host): Promise<Found[]> {
  const folders = await listLeftovers(host)
  const layers = await findLayerLeftovers(host)
  const found: Found[] = []
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

async function findImageTrees(host: Host, except: ReadonlySet<string>): Promise<Found[]> {
  const trees = await findUnusedImageTrees(host.paths, except)
  return trees.map(({id, name, sizeBytes}) => ({
    kind: 'image-tree',
    name,
    count: 1,
    sizeBytes,
    reason: 'unused',
    remove: () => removeImageTrees(host, new Set([id])),
  }))
}

async function findImages(
  host: Host,
  {olderThan, except}: {olderThan: Date; except: ReadonlySet<string>},
): Promise<Found[]> {
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

async function findPackages(host: Host, olderThan: Date): Promise<Found[]> {
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
