import * as v from 'valibot'
import {redactUrl} from '../../host/http/client.js'
import {
  numberField,
  oneOfField,
  orNull,
  parseRecordText,
  type RecordFormat,
  type RecordOf,
  readRecordFile,
  recordText,
  sha256Field,
  timeField,
  unreadableBy,
} from '../../host/records.js'
import type {PublishedImage} from '../resolved-image.js'
import {imageRecordUnreadableError} from './errors.js'

/** One pocket of the APT repository, as it was read. */
const archivePocketSchema = v.object({
  /** `trixie-security`. */
  suite: v.string(),
  /** URL, without secrets. */
  mirror: v.string(),
  inReleaseSha256: sha256Field,
  date: timeField,
  validUntil: orNull(timeField),
  signer: v.object({fingerprint: v.string(), name: v.string()}),
})

const archivePackageSchema = v.object({name: v.string(), version: v.string(), architecture: v.string()})

/** The origin of an image that was built from packages. */
export const archiveOriginSchema = v.object({
  /** Digest of all inputs of the build. */
  ingredients: sha256Field,
  variant: oneOfField(['minbase', 'standard']),
  /** Additional packages that were requested, by name. */
  include: v.array(v.string()),
  components: v.array(v.string()),
  pockets: v.array(archivePocketSchema),
  /** Ordered by name. */
  packages: v.array(archivePackageSchema),
})

export type ArchiveOrigin = RecordOf<typeof archiveOriginSchema>

/** A file name, checked because it becomes part of a path. */
const fileNameField = v.pipe(v.string(), v.check(isFileName, 'a file name'))

const imageRecordSchema = v.object({
  /** Canonical name: `ubuntu:focal/base`. */
  name: v.string(),
  /** Id of the source: `ubuntu-base`. */
  source: v.string(),
  suite: v.string(),
  variant: v.string(),
  architecture: v.string(),
  /** Point release or serial. */
  version: v.string(),
  /** URL, without secrets. */
  url: v.pipe(
    v.string(),
    v.check((text) => URL.canParse(text), 'a URL'),
  ),
  sha256: sha256Field,
  sizeBytes: numberField,
  signer: v.object({fingerprint: v.string(), name: v.string()}),
  signedAt: timeField,
  fetchedAt: timeField,
  /** URL of the listing, and the names of its files in the folder `evidence`. */
  evidence: v.object({url: v.string(), listing: fileNameField, signature: orNull(fileNameField)}),
  /** For an image built here from packages; null for a published image. */
  archive: orNull(archiveOriginSchema),
})

/** The record of a cached image. `image.json` is written last: a folder with it holds an image. */
export type ImageRecord = RecordOf<typeof imageRecordSchema>

const IMAGE_FORMAT: RecordFormat<typeof imageRecordSchema> = {
  schema: imageRecordSchema,
  // About a kilobyte, plus a hundred bytes for each package of a built image.
  maxBytes: 4 * 2 ** 20,
  indent: 2,
  unreadable: unreadableBy(imageRecordUnreadableError),
}

/** Facts about an image before its bytes are fetched. */
export type ImageFacts = Omit<ImageRecord, 'sha256' | 'sizeBytes' | 'fetchedAt'>

export function factsOf({source, label, content, trust}: PublishedImage): ImageFacts {
  const {signer, signedAt, url, listing, signature} = trust.evidence
  return {
    ...label,
    source,
    url: redactUrl(content.layer.location.url),
    signer,
    signedAt,
    evidence: {url, listing: listing.name, signature: signature?.name ?? null},
    archive: null,
  }
}

export function renderImageRecord(record: ImageRecord): string {
  return recordText(record, IMAGE_FORMAT)
}

/**
 * Reads the record of a cached image.
 *
 * @returns undefined if there is no record, and so no image. @throws {imageRecordUnreadableError}
 */
export async function readImageRecord(path: string): Promise<ImageRecord | undefined> {
  return readRecordFile(path, IMAGE_FORMAT)
}

/** Parses the text of a record. @param path - For the error message. @throws {imageRecordUnreadableError} */
export function parseImageRecord(text: string, path: string): ImageRecord {
  return parseRecordText(text, path, IMAGE_FORMAT)
}

/** Returns whether `text` is a plain file name without a folder. */
export function isFileName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)
}
