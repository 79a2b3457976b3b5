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
  recordCircumstances,
  recordText,
  sha256Field,
  timeField,
} from '../../host/records.js'
import type {PublishedImage} from '../resolved-image.js'
import {imageRecordUnreadableError} from './errors.js'

/** A part of the archive as it was read. */
const archivePocketSchema = v.object({
  /** `trixie-security`. */
  suite: v.string(),
  /** Without secrets. */
  mirror: v.string(),
  inReleaseSha256: sha256Field,
  date: timeField,
  validUntil: orNull(timeField),
  signer: v.object({fingerprint: v.string(), name: v.string()}),
})

const archivePackageSchema = v.object({name: v.string(), version: v.string(), architecture: v.string()})

/** What an image was made of that a package archive has the parts for. */
export const archiveOriginSchema = v.object({
  /** Digest of all that decides what is in it. */
  ingredients: sha256Field,
  variant: oneOfField(['minbase', 'standard']),
  /** Packages that were asked for beside those of the variant, by name. */
  include: v.array(v.string()),
  components: v.array(v.string()),
  pockets: v.array(archivePocketSchema),
  /** Returns the changes, ordered by name. */
  packages: v.array(archivePackageSchema),
})

export type ArchiveOrigin = RecordOf<typeof archiveOriginSchema>

/** It becomes part of a path. */
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
  /** Without secrets. */
  url: v.pipe(
    v.string(),
    v.check((text) => URL.canParse(text), 'a URL'),
  ),
  sha256: sha256Field,
  sizeBytes: numberField,
  signer: v.object({fingerprint: v.string(), name: v.string()}),
  signedAt: timeField,
  fetchedAt: timeField,
  /** Where the listing was, and the names of its files in the folder `evidence`. */
  evidence: v.object({url: v.string(), listing: fileNameField, signature: orNull(fileNameField)}),
  /** Of an image that was made here from packages; null for one that was published. */
  archive: orNull(archiveOriginSchema),
})

/** What is known of an image that is kept: `image.json`, written last, makes its folder one. */
export type ImageRecord = RecordOf<typeof imageRecordSchema>

const IMAGE_FORMAT: RecordFormat<typeof imageRecordSchema> = {
  schema: imageRecordSchema,
  version: 1,
  migrations: [],
  // About a kilobyte, and a hundred bytes for each package of an image that was made of packages.
  maxBytes: 4 * 2 ** 20,
  indent: 2,
  unreadable: (path, problem) =>
    imageRecordUnreadableError({path, reason: problem.why}, recordCircumstances(problem)),
}

/** What is known of an image before there are bytes of it. */
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

/** @returns undefined when there is none: no image is kept there. @throws {imageRecordUnreadableError} */
export async function readImageRecord(path: string): Promise<ImageRecord | undefined> {
  return readRecordFile(path, IMAGE_FORMAT)
}

/** @param path - For the message alone. @throws {imageRecordUnreadableError} */
export function parseImageRecord(text: string, path: string): ImageRecord {
  return parseRecordText(text, path, IMAGE_FORMAT)
}

/** Tells whether `text` names a file of its folder and nothing else. */
export function isFileName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)
}
