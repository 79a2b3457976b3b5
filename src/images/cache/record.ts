import {readFileSync} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {isSha256, type Sha256} from '../../host/digest.js'
import {redactUrl} from '../../host/http/redact-url.js'
import {type JsonFields, parseJsonRecord} from '../../host/json-fields.js'
import type {PublishedImage} from '../published-image.js'
import {type ArchiveOrigin, readArchiveOrigin} from './archive-origin.js'
import {imageRecordUnreadableError} from './errors.js'

/** What is known of an image that is kept: `image.json`, written last, makes its folder one. */
export type ImageRecord = {
  /** Canonical name: `ubuntu:focal/base`. */
  readonly name: string
  /** Id of the source: `ubuntu-base`. */
  readonly source: string
  readonly suite: string
  readonly variant: string
  readonly architecture: string
  /** Point release or serial. */
  readonly version: string
  /** Without secrets. */
  readonly url: string
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  readonly fetchedAt: Date
  /** Where the listing was, and the names of its files in the folder `evidence`. */
  readonly evidence: {readonly url: string; readonly listing: string; readonly signature: string | null}
  /** Of an image that was made here from packages; null for one that was published. */
  readonly archive: ArchiveOrigin | null
}

const SCHEMA_VERSION = 1
/** About a kilobyte, and a hundred bytes for each package of an image that was made of them. */
const MAX_BYTES = 4 * 2 ** 20

export function recordOf(
  image: PublishedImage,
  {sizeBytes, fetchedAt}: {sizeBytes: number; fetchedAt: Date},
): ImageRecord {
  const {name, source, suite, variant, architecture, version, sha256, evidence} = image
  return {
    name,
    source,
    suite,
    variant,
    architecture,
    version,
    url: redactUrl(image.url),
    sha256,
    sizeBytes,
    signer: evidence.signer,
    signedAt: evidence.signedAt,
    fetchedAt,
    evidence: {
      url: evidence.url,
      listing: evidence.listing.name,
      signature: evidence.signature?.name ?? null,
    },
    archive: null,
  }
}

export function renderImageRecord(record: ImageRecord): string {
  return `${JSON.stringify({schemaVersion: SCHEMA_VERSION, ...record}, undefined, 2)}\n`
}

/** @returns undefined when there is none: no image is kept there. @throws {ImageRecordUnreadableError} */
export async function readImageRecord(path: string): Promise<ImageRecord | undefined> {
  try {
    return parseImageRecord(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** @param path - For the message alone. @throws {ImageRecordUnreadableError} */
export function parseImageRecord(text: string, path: string): ImageRecord {
  const refuse = (rule: string, cause?: unknown) => imageRecordUnreadableError({path, reason: rule}, {cause})
  const fields = parseJsonRecord(text, {maxBytes: MAX_BYTES, schemaVersion: SCHEMA_VERSION, refuse})
  const signer = fields.object('signer')
  const evidence = fields.object('evidence')
  return {
    name: fields.string('name'),
    source: fields.string('source'),
    suite: fields.string('suite'),
    variant: fields.string('variant'),
    architecture: fields.string('architecture'),
    version: fields.string('version'),
    url: readUrl(fields, 'url'),
    sha256: readDigest(fields),
    sizeBytes: fields.number('sizeBytes'),
    signer: {fingerprint: signer.string('fingerprint'), name: signer.string('name')},
    signedAt: fields.date('signedAt'),
    fetchedAt: fields.date('fetchedAt'),
    evidence: {
      url: evidence.string('url'),
      listing: readFileName(evidence, 'listing'),
      signature: evidence.orNull('signature', (own) => readFileName(own, 'signature')),
    },
    archive: fields.orNull('archive', (own) => readArchiveOrigin(own.object('archive'))),
  }
}

function readDigest(fields: JsonFields): Sha256 {
  const text = fields.string('sha256')
  if (!isSha256(text)) throw fields.wrong('sha256', 'a SHA-256 digest')
  return text
}

function readUrl(fields: JsonFields, key: string): string {
  const text = fields.string(key)
  if (!URL.canParse(text)) throw fields.wrong(key, 'a URL')
  return text
}

/** It becomes part of a path. */
function readFileName(fields: JsonFields, key: string): string {
  const text = fields.string(key)
  if (!isFileName(text)) throw fields.wrong(key, 'a file name')
  return text
}

/** Tells whether `text` names a file of its folder and nothing else. */
export function isFileName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)
}
