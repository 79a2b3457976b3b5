import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256, type Sha256} from '../../host/digest.js'
import {ignoring} from '../../host/errno.js'

/** Where the parts of one kept image lie, whether it is kept or not. */
export type ImageFiles = {
  readonly folder: string
  readonly archive: string
  readonly record: string
  /** The listing and its signature, byte for byte as they were verified. */
  readonly evidence: string
  /** Its time is when the image was last used. */
  readonly lastUsed: string
}

/** What `entriesOf` finds in the folder of images. */
export type Entry =
  | {readonly kind: 'image' | 'partial'; readonly sha256: Sha256; readonly folder: string}
  /** An image on its way out. */
  | {readonly kind: 'removed'; readonly folder: string}

const PARTIAL = '.partial.'
const REMOVED = '.removed.'

/** @param images - The folder of all of them. */
export function imageFiles(images: string, sha256: Sha256): ImageFiles {
  return filesIn(join(images, sha256))
}

/** Where an image is put together: what is there may be gone on with, and is renamed when it is whole. */
export function partialFiles(images: string, sha256: Sha256): ImageFiles {
  return filesIn(join(images, `${PARTIAL}${sha256}`))
}

export function removedFolder(images: string, random: string): string {
  return join(images, `${REMOVED}${random}`)
}

/** Beside the images, not in them: it outlives a removal that others wait for. */
export function lockPath(images: string, sha256: Sha256): string {
  return join(lockFolder(images), `${sha256}.lock`)
}

export function lockFolder(images: string): string {
  return join(images, '.locks')
}

export async function entriesOf(images: string): Promise<Entry[]> {
  const names = (await readdir(images).catch(ignoring('ENOENT'))) ?? []
  return names.sort().flatMap((name) => entryOf(images, name))
}

function entryOf(images: string, name: string): Entry | [] {
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
