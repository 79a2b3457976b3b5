import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import * as v from 'valibot'
import {writeFileAtomic} from '../atomic-file.js'
import {isErrno} from '../errno.js'
import {parseIfValid, type RecordOf} from '../records.js'
import {isStrongEtag} from './headers.js'

/** Near enough to RFC 9110, section 5.6.7, to be safe in a header. */
const HTTP_DATE = /^[A-Za-z0-9 :,+-]{1,64}$/

const partRecordSchema = v.object({
  schemaVersion: v.literal(1),
  /** SHA-256 of the URL, which may hold a password. */
  urlDigest: v.string(),
  /** They become headers. */
  validators: v.object({
    etag: v.exactOptional(v.pipe(v.string(), v.check(isStrongEtag))),
    lastModified: v.exactOptional(v.pipe(v.string(), v.regex(HTTP_DATE))),
  }),
})

/** What a part has to be told of to be gone on with in a later run. */
export type PartRecord = RecordOf<typeof partRecordSchema>

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
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** @returns undefined for any text that is not a record of this version. */
export function parsePartRecord(text: string): PartRecord | undefined {
  return parseIfValid(text, partRecordSchema)
}
