import {randomBytes} from 'node:crypto'
import {readdir, rename, rm, stat} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import {describeHolders} from '../../host/errors.js'
import {makeFolders} from '../../host/files.js'
import {lockUsers} from '../../host/locks.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {describeKeptContainer, type KeptContainer, listContainers} from '../oci/kept.js'
import {byNewest, type KeptImage, listKept} from './cache.js'
import {chooseImages} from './choose.js'
import {imageInUseError} from './errors.js'
import {
  type CacheEntry,
  imageFiles,
  listEntries,
  lockPath,
  partialFiles,
  removedFolder,
  tryLockImage,
} from './layout.js'

export type RemovedImage = Pick<KeptImage, 'name' | 'version' | 'sha256'>

/**
 * Removes the cached images that `words` (names or digests) select: all of them, or none if a word matches
 * nothing.
 *
 * @throws {ImageNotKeptError}
 * @throws {@link imageInUseError} The images before it are removed already.
 */
export async function removeImages(
  images: string,
  words: readonly string[],
  around: {architecture: DebArchitecture; now: Date},
): Promise<RemovedImage[]> {
  const chosen = (await Promise.all(words.map((word) => chooseImages(images, word, around)))).flat()
  const removed = [...new Map(chosen.map((image) => [image.sha256, image])).values()]
  for (const image of removed) await removeKept(images, image)
  return removed
}

/**
 * Removes an image. Environments created from it stay.
 *
 * @throws {@link imageInUseError} While a command fetches it, or creates an environment from it.
 */
async function removeKept(images: string, {sha256, name}: {sha256: Sha256; name: string}): Promise<void> {
  if (await discardKept(images, sha256)) return
  throw imageInUseError({name, holders: describeHolders(await lockUsers(lockPath(images, sha256)))})
}

/** Age after which an interrupted download is removed. */
const STALE_DOWNLOAD_MS = 30 * 86_400_000

/** An item of the cache that can be removed, and the reason. */
export type Prunable = {
  readonly sha256: Sha256
  /** Null for an incomplete or damaged image. */
  readonly name: string | null
  readonly version: string | null
  /** Disk usage. */
  readonly sizeBytes: number
  readonly reason: 'superseded' | 'unused' | 'unfinished' | 'damaged'
  readonly lastUsedAt: Date | null
}

/**
 * Removes the items that `findPrunable` finds, and leftovers of killed commands.
 *
 * @returns The items that are removed, or would be; items in use by a command are left out.
 */
export async function pruneImages(
  images: string,
  {
    olderThan,
    spared,
    dryRun,
    now,
  }: {
    olderThan?: Date | undefined
    spared?: ReadonlySet<string> | undefined
    dryRun: boolean
    now: Date
  },
): Promise<Prunable[]> {
  const found = await findPrunable(images, {olderThan, spared})
  if (dryRun) return found
  await sweepImages(images, now)
  const pruned: Prunable[] = []
  for (const one of found) {
    const files = (one.reason === 'unfinished' ? partialFiles : imageFiles)(images, one.sha256)
    if (await removeUnlessInUse(images, one.sha256, files.folder)) pruned.push(one)
  }
  return pruned
}

/** Removes an image unless a command uses it. @returns Whether it is removed. */
export function discardKept(images: string, sha256: Sha256): Promise<boolean> {
  return removeUnlessInUse(images, sha256, imageFiles(images, sha256).folder)
}

/**
 * Finds superseded images, interrupted downloads and damaged folders; with `olderThan`, also images that were not
 * used since, except the digests in `spared`.
 */
async function findPrunable(
  images: string,
  {olderThan, spared}: {olderThan?: Date | undefined; spared?: ReadonlySet<string> | undefined},
): Promise<Prunable[]> {
  const {images: kept, damaged} = await listKept(images)
  const found: Prunable[] = []
  for (const image of kept) {
    const {sha256, name, version, lastUsedAt} = image
    const isOld =
      olderThan !== undefined && spared?.has(sha256) !== true && (lastUsedAt ?? image.fetchedAt) < olderThan
    const reason = isSuperseded(image, kept) ? 'superseded' : isOld ? 'unused' : undefined
    if (reason === undefined) continue
    const sizeBytes = await sizeOf(imageFiles(images, sha256).folder)
    found.push({sha256, name, version, sizeBytes, reason, lastUsedAt})
  }
  const containers = await listContainers(images)
  for (const image of containers) {
    const {sha256, lastUsedAt, fetchedAt} = image
    const isOld = olderThan !== undefined && !spared?.has(sha256) && (lastUsedAt ?? fetchedAt) < olderThan
    const reason = isReplaced(image, containers) ? 'superseded' : isOld ? 'unused' : undefined
    if (reason === undefined) continue
    const {name, version} = describeKeptContainer(image)
    const sizeBytes = await sizeOf(imageFiles(images, sha256).folder)
    found.push({sha256, name, version, sizeBytes, reason, lastUsedAt})
  }
  for (const {sha256} of damaged) {
    const sizeBytes = await sizeOf(imageFiles(images, sha256).folder)
    found.push({sha256, ...NO_RECORD, sizeBytes, reason: 'damaged'})
  }
  for (const entry of await listEntries(images)) {
    if (entry.kind !== 'partial') continue
    found.push({
      ...NO_RECORD,
      sha256: entry.sha256,
      sizeBytes: await sizeOf(entry.folder),
      reason: 'unfinished',
    })
  }
  return found
}

/** Removes leftovers of killed commands, and downloads that were not resumed for a month. */
export async function sweepImages(images: string, now: Date): Promise<void> {
  for (const entry of await listEntries(images)) {
    if (entry.kind === 'removed') await rm(entry.folder, {recursive: true, force: true})
    if (entry.kind === 'partial' && (await isStale(entry, now))) {
      await removeUnlessInUse(images, entry.sha256, entry.folder)
    }
  }
}

const NO_RECORD = {name: null, version: null, lastUsedAt: null}

/**
 * Removes a folder unless it is in use. It is renamed first: a killed removal must not leave half an image under
 * its name.
 */
async function removeUnlessInUse(images: string, sha256: Sha256, folder: string): Promise<boolean> {
  await makeFolders(images, {mode: 0o700})
  const lock = await tryLockImage(images, sha256, 'exclusive')
  if (lock === undefined) return false
  try {
    const removed = removedFolder(images, randomBytes(8).toString('hex'))
    await rename(folder, removed)
    await rm(removed, {recursive: true, force: true})
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  } finally {
    lock.release()
  }
  return true
}

function isSuperseded(image: KeptImage, kept: readonly KeptImage[]): boolean {
  return kept.some(
    (other) =>
      other.name === image.name &&
      other.source === image.source &&
      other.architecture === image.architecture &&
      byNewest(other, image) < 0,
  )
}

/** A tag may mean another image now; an image that was named by its digest never changes. */
function isReplaced(
  {origin, architecture, fetchedAt}: KeptContainer,
  kept: readonly KeptContainer[],
): boolean {
  return kept.some(
    (other) =>
      other.origin.reference === origin.reference &&
      other.architecture === architecture &&
      other.fetchedAt > fetchedAt,
  )
}

async function isStale({folder}: Exclude<CacheEntry, {kind: 'removed'}>, now: Date): Promise<boolean> {
  const times = await Promise.all(
    [folder, ...(await readdir(folder)).map((name) => join(folder, name))].map(
      async (path) => (await stat(path)).mtimeMs,
    ),
  ).catch(() => [])
  return times.length > 0 && now.getTime() - Math.max(...times) > STALE_DOWNLOAD_MS
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true}).catch(() => [])
  const sizes = await Promise.all(
    entries.map(({name, parentPath}) =>
      stat(join(parentPath, name)).then(
        ({blocks}) => blocks * 512,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
