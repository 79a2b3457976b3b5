import {type Stats, statSync} from 'node:fs'
import {readFile, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {unlessErrno} from '../../host/errno.js'
import type {ImageQuery} from '../name.js'
import type {Evidence} from '../resolved-image.js'
import {ImageRecordUnreadableError} from './errors.js'
import {entriesOf, imageFiles} from './layout.js'
import {type ImageRecord, readImageRecord} from './record.js'

/** An image that is here, whole. */
export type KeptImage = ImageRecord & {
  /** Of the archive. */
  readonly path: string
  /** When an environment was last made from it; null when none was. */
  readonly lastUsedAt: Date | null
}

/** A folder that should hold an image, and why it does not. */
export type DamagedImage = {readonly sha256: Sha256; readonly reason: string}

/** Stands for the sources' own order where a query leaves the variant open. */
const VARIANT_ORDER = ['base', 'default', 'daily', 'minimal', 'cloud']

/** Made when it is first needed: it takes longer to get ready than most commands to run. */
let collator: Intl.Collator | undefined

/** Point releases and serials: 20.04.10 comes after 20.04.9. */
function compareVersions(one: string, other: string): number {
  collator ??= new Intl.Collator('en', {numeric: true})
  return collator.compare(one, other)
}

/** What is kept, by name and newest first. */
export async function listKept(
  images: string,
): Promise<{images: readonly KeptImage[]; damaged: readonly DamagedImage[]}> {
  const kept: KeptImage[] = []
  const damaged: DamagedImage[] = []
  for (const entry of await entriesOf(images)) {
    if (entry.kind !== 'image') continue
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

/** @returns undefined when it is not here, or not all of it. @throws {ImageRecordUnreadableError} */
export async function readKept(images: string, sha256: Sha256): Promise<KeptImage | undefined> {
  const files = imageFiles(images, sha256)
  const record = await readImageRecord(files.record)
  if (record === undefined || record.sha256 !== sha256) return undefined
  if (statOrNothing(files.archive)?.size !== record.sizeBytes) return undefined
  const lastUsedAt = statOrNothing(files.lastUsed)?.mtime ?? null
  return {...record, path: files.archive, lastUsedAt}
}

function statOrNothing(path: string): Stats | undefined {
  return unlessErrno(() => statSync(path))
}

/** The newest kept image of a publisher's that fits `query`; without a variant, one of the first variant there is. */
export async function findKept(images: string, query: ImageQuery): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  const [first] = kept
    .filter((image) => image.archive === null && fits(image, query))
    .sort((a, b) => variantRank(a) - variantRank(b) || byNewest(a, b))
  return first
}

/** Tells whether an image is one that `query` asks for. */
export function fits(image: ImageRecord, query: ImageQuery): boolean {
  return (
    image.architecture === query.architecture &&
    image.suite === query.suite &&
    distributionOf(image) === query.distribution &&
    (query.variant === undefined || query.variant === image.variant) &&
    (query.source === undefined || query.source === image.source)
  )
}

/** Notes that an environment is made from it. */
export async function touchKept(images: string, sha256: Sha256, now: Date): Promise<void> {
  const {lastUsed} = imageFiles(images, sha256)
  await utimes(lastUsed, now, now).catch(async () => {
    await writeFile(lastUsed, '', {mode: 0o600})
    await utimes(lastUsed, now, now)
  })
}

/** What its publisher signed, for the check to be done again. @throws {NodeJS.ErrnoException} */
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

/** Newer ones first. */
export function byNewest(a: ImageRecord, b: ImageRecord): number {
  return compareVersions(b.version, a.version) || b.signedAt.getTime() - a.signedAt.getTime()
}

function byNameThenNewest(a: ImageRecord, b: ImageRecord): number {
  return compareVersions(a.name, b.name) || byNewest(a, b)
}

function variantRank({variant}: ImageRecord): number {
  const rank = VARIANT_ORDER.indexOf(variant)
  return rank === -1 ? VARIANT_ORDER.length : rank
}

/** `ubuntu` of `ubuntu:focal/base`, `alpine` of `lxc:alpine/3.22`. */
function distributionOf({name, source}: ImageRecord): string | undefined {
  const own = name.startsWith(`${source}:`) ? name.slice(source.length + 1) : name
  return /^[^:/]+(?=[:/])/.exec(own)?.[0]
}
