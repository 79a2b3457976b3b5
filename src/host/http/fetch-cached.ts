import {mkdir, readFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {errnoOf} from '../../errors.js'
import {writeFileAtomic} from '../atomic-file.js'
import {sha256Of} from '../digest.js'
import {jsonObject} from '../json-fields.js'
import {askSmall, type FetchSmallOptions} from './fetch-small.js'
import type {Validators} from './headers.js'

type Kept = {readonly validators: Validators; readonly body: Buffer}

/**
 * Fetches a small file and keeps a copy; asks only whether it is still the same as long as there is one.
 *
 * The copy is no more to be trusted than the server: what needs a proof must be verified each time. One that is
 * damaged, or can't be kept, is as none.
 *
 * @param path - Of the copy, which must be of this URL alone; its folder is made.
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} @throws {UnexpectedSizeError} @throws {@link certificateFileError}
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
  const head = jsonObject(bytes.toString('utf8', 0, Math.max(end, 0)))
  const body = bytes.subarray(end + 1)
  // Else a damaged copy would be taken for the server's word for as long as that does not change.
  if (head['sha256'] !== sha256Of(body)) return undefined
  const {etag, lastModified} = head
  return {
    body,
    validators: {
      ...(typeof etag === 'string' ? {etag} : {}),
      ...(typeof lastModified === 'string' ? {lastModified} : {}),
    },
  }
}
