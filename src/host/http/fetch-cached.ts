import {mkdir, readFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import * as v from 'valibot'
import {errnoOf} from '../../errors.js'
import {writeFileAtomic} from '../atomic-file.js'
import {sha256Of} from '../digest.js'
import {parseIfValid, sha256Field} from '../records.js'
import {askSmall, type FetchSmallOptions} from './fetch-small.js'
import {type Validators, validatorsSchema} from './headers.js'

type Kept = {readonly validators: Validators; readonly body: Buffer}

const cachedHeadSchema = v.object({...validatorsSchema.entries, sha256: sha256Field})

/**
 * Fetches a small file and keeps a copy; asks only whether it is still the same as long as there is one.
 *
 * The copy is no more to be trusted than the server: what needs a proof must be verified each time. One that is
 * damaged, or can't be kept, is as none.
 *
 * @param path - Of the copy, which must be of this URL alone; its folder is made.
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} @throws {UnexpectedSizeError} @throws {CertificateFileError}
 */
export async function fetchCached(
  url: URL,
  path: string,
  options: FetchSmallOptions,
): Promise<Buffer | undefined> {
  const kept = await readKept(path)
  const answer = await askSmall(url, {...options, ...(kept === undefined ? {} : {known: kept.validators})})
  switch (answer.kind) {
    case 'missing':
      return undefined
    case 'unchanged':
      return kept?.body
    case 'whole':
      await keep(path, answer)
      return answer.body
  }
}

/** One file, so that body and validators can't be of two versions: a line of JSON, then the body. */
async function keep(path: string, {validators, body}: Kept): Promise<void> {
  if (validators.etag === undefined && validators.lastModified === undefined) return
  const head = Buffer.from(`${JSON.stringify({...validators, sha256: sha256Of(body)})}\n`)
  try {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    await writeFileAtomic(path, Buffer.concat([head, body]), {mode: 0o600})
  } catch (error) {
    // A full disk, or a home that may not be written, costs a download and nothing more.
    if (errnoOf(error) === undefined) throw error
  }
}

async function readKept(path: string): Promise<Kept | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
  const end = bytes.indexOf('\n')
  const head = parseIfValid(bytes.toString('utf8', 0, Math.max(end, 0)), cachedHeadSchema)
  if (head === undefined) return undefined
  const {sha256, ...validators} = head
  const body = bytes.subarray(end + 1)
  // Else a damaged copy would be taken for the server's word for as long as that does not change.
  return sha256 === sha256Of(body) ? {body, validators} : undefined
}
