import {errnoOf, wordsForErrno} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {type JsonFields, parseJsonRecord} from '../host/json-fields.js'
import {readSmallFile} from '../host/small-file.js'
import {type ArchiveOrigin, readArchiveOrigin} from '../images/cache/archive-origin.js'
import {recordUnreadableError} from './errors.js'

/** What is known of an environment from its creation on; `env.json`, written last, makes it one. */
export type EnvironmentRecord = {
  readonly createdAt: Date
  readonly image: ImageOrigin
  readonly identity: 'mapped' | 'emulated'
  /** `overlay`: layers that others may share, with one of its own on top; `directory`: a whole tree. */
  readonly storage: 'overlay' | 'directory'
  /** dpkg's name; a newer version may know more of them. */
  readonly architecture: string
  readonly extraction: {
    readonly entries: number
    readonly sizeBytes: number
    /** Device nodes that an ordinary user can't make. */
    readonly skippedDevices: number
    /** Owners outside the subordinate range, given to nobody. */
    readonly squashedOwners: number
    /** Files whose capabilities were not set. */
    readonly fileCapabilities: number
  }
}

/** The archive an environment was made from, and who vouched for it. */
export type ImageOrigin = {
  /** Absolute path, URL without secrets, or `-`. */
  readonly source: string
  /** Canonical name and point release or serial; null for a file or a URL of the user's own. */
  readonly name: string | null
  readonly version: string | null
  readonly sha256: string
  readonly sizeBytes: number
  readonly compression: string
  readonly trust: 'signed' | 'digest' | 'unverified'
  /** Null unless `signed`, as is `signedAt`. */
  readonly signer: {readonly fingerprint: string; readonly name: string} | null
  readonly signedAt: Date | null
  /** What an image was made of that came from a package archive; null for others. */
  readonly archive: ArchiveOrigin | null
}

const SCHEMA_VERSION = 1
/** A kilobyte, and a hundred bytes for each package of an image that was made of them. */
const MAX_RECORD_BYTES = 4 * 2 ** 20

export async function writeRecord(
  path: string,
  record: EnvironmentRecord,
  {isSynced = true}: {readonly isSynced?: boolean} = {},
): Promise<void> {
  const json = {schemaVersion: SCHEMA_VERSION, ...record, createdAt: record.createdAt.toISOString()}
  await writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`, {mode: 0o600, isSynced})
}

/** @throws {RecordUnreadableError} @returns undefined when there is none: no environment. */
export async function readRecord(path: string): Promise<EnvironmentRecord | undefined> {
  let text: string
  try {
    text = readSmallFile(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    throw recordUnreadableError({path, reason: wordsForErrno(errno)}, {cause: error})
  }
  return parseRecord(text, path)
}

/** @param path - For the message alone. @throws {RecordUnreadableError} Naming the first field that is wrong. */
export function parseRecord(text: string, path: string): EnvironmentRecord {
  const refuse = (rule: string, cause?: unknown) => recordUnreadableError({path, reason: rule}, {cause})
  const fields = parseJsonRecord(text, {maxBytes: MAX_RECORD_BYTES, schemaVersion: SCHEMA_VERSION, refuse})
  const extraction = fields.object('extraction')
  return {
    createdAt: fields.date('createdAt'),
    image: readOrigin(fields.object('image')),
    identity: fields.oneOf('identity', ['mapped', 'emulated']),
    storage: fields.oneOf('storage', ['overlay', 'directory']),
    architecture: fields.string('architecture'),
    extraction: {
      entries: extraction.number('entries'),
      sizeBytes: extraction.number('sizeBytes'),
      skippedDevices: extraction.number('skippedDevices'),
      squashedOwners: extraction.number('squashedOwners'),
      fileCapabilities: extraction.number('fileCapabilities'),
    },
  }
}

function readOrigin(image: JsonFields): ImageOrigin {
  return {
    source: image.string('source'),
    name: image.orNull('name', (fields) => fields.string('name')),
    version: image.orNull('version', (fields) => fields.string('version')),
    sha256: image.string('sha256'),
    sizeBytes: image.number('sizeBytes'),
    compression: image.string('compression'),
    trust: image.oneOf('trust', ['signed', 'digest', 'unverified']),
    signer: image.orNull('signer', (fields) => readSigner(fields.object('signer'))),
    signedAt: image.orNull('signedAt', (fields) => fields.date('signedAt')),
    archive: image.orNull('archive', (fields) => readArchiveOrigin(fields.object('archive'))),
  }
}

function readSigner(signer: JsonFields): {fingerprint: string; name: string} {
  return {fingerprint: signer.string('fingerprint'), name: signer.string('name')}
}
