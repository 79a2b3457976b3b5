import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256, type Sha256} from '../../host/digest.js'
import {ignoring} from '../../host/errno.js'
import {makeFolders} from '../../host/files.js'
import {awaitLock, type Lock, type LockMode, openLockFile, takeLock} from '../../host/locks.js'

/** Takes the lock of one image without waiting: shared to read it, exclusive to fetch or remove it. */
export async function tryLockImage(
  images: string,
  sha256: Sha256,
  mode: LockMode,
): Promise<Lock | undefined> {
  await makeFolders(lockFolder(images), {mode: 0o700})
  return takeLock(lockPath(images, sha256), {mode, waitMs: 0})
}

/**
 * Takes the exclusive lock of one image, and waits while another process holds it.
 *
 * @param onWait - Called once, if it has to wait.
 */
export async function lockImageForFetching(
  images: string,
  sha256: Sha256,
  waiting: {signal: AbortSignal; onWait: () => void},
): Promise<Lock> {
  await makeFolders(lockFolder(images), {mode: 0o700})
  return awaitLock(openLockFile(lockPath(images, sha256)), waiting)
}

/** Paths of the parts of one cached image, whether it exists or not. */
export type ImageFiles = {
  readonly folder: string
  readonly archive: string
  readonly record: string
  /** The listing and its signature, byte for byte as they were verified. */
  readonly evidence: string
  /** Its mtime is the time of the last use. */
  readonly lastUsed: string
}

/** An entry of the folder of images. */
export type CacheEntry =
  | {readonly kind: 'image' | 'partial'; readonly sha256: Sha256; readonly folder: string}
  /** An image that is being removed. */
  | {readonly kind: 'removed'; readonly folder: string}

const PARTIAL = '.partial.'
const REMOVED = '.removed.'

/** Returns the paths of a cached image. @param images - The folder of cached images. */
export function imageFiles(images: string, sha256: Sha256): ImageFiles {
  return filesIn(join(images, sha256))
}

/**
 * Returns the paths of an incomplete image. An interrupted download in it can be resumed; the folder is renamed
 * when the image is complete.
 */
export function partialFiles(images: string, sha256: Sha256): ImageFiles {
  return filesIn(join(images, `${PARTIAL}${sha256}`))
}

export function removedFolder(images: string, random: string): string {
  return join(images, `${REMOVED}${random}`)
}

/**
 * Returns the path of the lock file. It is outside of the image folder, so that it outlives a removal that other
 * processes wait for.
 */
export function lockPath(images: string, sha256: Sha256): string {
  return join(lockFolder(images), `${sha256}.lock`)
}

function lockFolder(images: string): string {
  return join(images, '.locks')
}

export async function listEntries(images: string): Promise<CacheEntry[]> {
  const names = (await readdir(images).catch(ignoring('ENOENT'))) ?? []
  return names.sort().flatMap((name) => entryOf(images, name))
}

function entryOf(images: string, name: string): CacheEntry | [] {
  const folder = join(images, name)
  if (isSha256(name)) return {kind: 'image', sha256: name, folder}
  if (name.startsWith(REMOVED)) return {kind: 'removed', folder}
  const partial = name.startsWith(PARTIAL) ? name.slice(PARTIAL.length) : ''
  return isSha256(partial) ? {kind: 'partial', sha256: partial, folder} : []
}

function filesIn(folder: string): ImageFiles {
  return {
    folder,
    archive: join(folder, 'archive'),
    record: join(folder, 'image.json'),
    evidence: join(folder, 'evidence'),
    lastUsed: join(folder, 'last-used'),
  }
}
