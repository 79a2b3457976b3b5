import {type Stats, statSync} from 'node:fs'
import {readFile, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {unlessErrno} from '../../host/errno.js'
import type {ImageQuery} from '../name.js'
import {isContainerFolder} from '../oci/kept.js'
import type {Evidence} from '../resolved-image.js'
import {ImageRecordUnreadableError} from './errors.js'
import {imageFiles, listEntries} from './layout.js'
import {type ImageRecord, readImageRecord} from './record.js'

/** A complete image in the cache. */
export type KeptImage = ImageRecord & {
  /** Path of the tarball. */
  readonly path: string
  /** Time at which an environment was last created from it, or null. */
  readonly lastUsedAt: Date | null
}

/** An image folder without a usable image, and the reason. */
export type DamagedImage = {readonly sha256: Sha256; readonly reason: string}

/** Returns the cached images, by name and newest first. */
export async function listKept(
  images: string,
): Promise<{images: readonly KeptImage[]; damaged: readonly DamagedImage[]}> {
  const kept: KeptImage[] = []
  const damaged: DamagedImage[] = []
  for (const entry of await listEntries(images)) {
    if (entry.kind !== 'image' || isContainerFolder(images, entry.sha256)) continue
    try {
      const image = await readKept(images, entry.sha256)
      if (image !== undefined) kept.push(image)
      else damaged.push({sha256: entry.sha256, reason: `The image in ${entry.folder} is incomplete.`})
    } catch (error) {
      if (!(error instanceof ImageRecordUnreadableError)) throw error
      damaged.push({sha256: entry.sha256, reason: error.message})
    }
  }
  return {images: kept.sort(byNameThenNewest), damaged}
}

/** Returns a cached image; undefined if it is missing or incomplete. @throws {ImageRecordUnreadableError} */
export async function readKept(images: string, sha256: Sha256): Promise<KeptImage | undefined> {
  const files = imageFiles(images, sha256)
  const record = await readImageRecord(files.record)
  if (record === undefined || record.sha256 !== sha256) return undefined
  if (statIfPresent(files.archive)?.size !== record.sizeBytes) return undefined
  const lastUsedAt = statIfPresent(files.lastUsed)?.mtime ?? null
  return {...record, path: files.archive, lastUsedAt}
}

function statIfPresent(path: string): Stats | undefined {
  return unlessErrno(() => statSync(path))
}

/**
 * Returns the newest published image in the cache that matches `query`; without a variant, an image of the
 * preferred variant.
 */
export async function findKept(images: string, query: ImageQuery): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  const [first] = kept
    .filter((image) => image.archive === null && matchesQuery(image, query))
    .sort((a, b) => variantRank(a) - variantRank(b) || byNewest(a, b))
  return first
}

/** Returns whether an image matches `query`. */
export function matchesQuery(image: ImageRecord, query: ImageQuery): boolean {
  return (
    image.architecture === query.architecture &&
    image.suite === query.suite &&
    distributionOf(image) === query.distribution &&
    (query.variant === undefined || query.variant === image.variant) &&
    (query.source === undefined || query.source === image.source)
  )
}

/** Records that an environment is created from the image. */
export async function touchKept(images: string, sha256: Sha256, now: Date): Promise<void> {
  const {lastUsed} = imageFiles(images, sha256)
  await utimes(lastUsed, now, now).catch(async () => {
    await writeFile(lastUsed, '', {mode: 0o600})
    await utimes(lastUsed, now, now)
  })
}

/** Reads the signed listing of an image, to repeat the check. @throws {NodeJS.ErrnoException} */
export async function readEvidence(
  images: string,
  {sha256, evidence}: KeptImage,
): Promise<Pick<Evidence, 'listing' | 'signature'>> {
  const {evidence: folder} = imageFiles(images, sha256)
  const read = async (name: string) => ({name, bytes: await readFile(join(folder, name))})
  return {
    listing: await read(evidence.listing),
    signature: evidence.signature === null ? undefined : await read(evidence.signature),
  }
}

/** Orders by version and signing time, newest first. */
export function byNewest(a: ImageRecord, b: ImageRecord): number {
  return compareVersions(b.version, a.version) || b.signedAt.getTime() - a.signedAt.getTime()
}

function byNameThenNewest(a: ImageRecord, b: ImageRecord): number {
  return compareVersions(a.name, b.name) || byNewest(a, b)
}

/** Order of preference if a query names no variant; it matches the order of the sources. */
const VARIANT_ORDER = ['base', 'default', 'daily', 'minimal', 'cloud']

function variantRank({variant}: ImageRecord): number {
  const rank = VARIANT_ORDER.indexOf(variant)
  return rank === -1 ? VARIANT_ORDER.length : rank
}

/** Returns `ubuntu` for `ubuntu:focal/base`, `alpine` for `lxc:alpine/3.22`. */
function distributionOf({name, source}: ImageRecord): string | undefined {
  const own = name.startsWith(`${source}:`) ? name.slice(source.length + 1) : name
  return /^[^:/]+(?=[:/])/.exec(own)?.[0]
}

/** Created on first use: it takes longer to initialize than most commands to run. */
let collator: Intl.Collator | undefined

/** Compares point releases or serials: 20.04.10 is newer than 20.04.9. */
function compareVersions(one: string, other: string): number {
  collator ??= new Intl.Collator('en', {numeric: true})
  return collator.compare(one, other)
}
