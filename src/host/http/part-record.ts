import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {writeFileAtomic} from '../atomic-file.js'
import {isErrno} from '../errno.js'
import {isStrongEtag, type Validators} from './headers.js'

/** What a part has to be told of to be gone on with in a later run. */
export type PartRecord = {
  readonly schemaVersion: 1
  /** SHA-256 of the URL, which may hold a password. */
  readonly urlDigest: string
  readonly validators: Validators
}

/** Near enough to RFC 9110, section 5.6.7, to be safe in a header. */
const HTTP_DATE = /^[A-Za-z0-9 :,+-]{1,64}$/

export function urlDigest(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex')
}

export async function writePartRecord(path: string, record: PartRecord): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, {mode: 0o600})
}

/** Reads what an earlier run left; undefined when there is none, or none that can be understood. */
export async function readPartRecord(path: string): Promise<PartRecord | undefined> {
  try {
    return parsePartRecord(await readFile(path, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** @throws {SyntaxError} When it is no JSON. */
export function parsePartRecord(text: string): PartRecord | undefined {
  const record: unknown = JSON.parse(text)
  if (!isObject(record) || record['schemaVersion'] !== 1) return undefined
  const {urlDigest: digest, validators} = record
  if (typeof digest !== 'string' || !isObject(validators)) return undefined
  const {etag, lastModified} = validators
  return {
    schemaVersion: 1,
    urlDigest: digest,
    validators: {
      ...(typeof etag === 'string' && isStrongEtag(etag) ? {etag} : {}),
      ...(typeof lastModified === 'string' && HTTP_DATE.test(lastModified) ? {lastModified} : {}),
    },
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
