import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {dirname} from 'node:path'
import {errnoOf} from '../../errors.js'
import {finishSha256, type Sha256} from '../digest.js'
import {isErrno} from '../errno.js'
import {DigestMismatchError, digestMismatchError} from '../errors.js'
import {type ReceiveOptions, receive} from './attempt.js'
import {downloadStorageError, UnexpectedSizeError, unexpectedSizeError} from './errors.js'
import {type Claim, claimPart, PartialFile, type PartPaths, partPaths} from './part.js'

export type DownloadOptions = ReceiveOptions & {
  /** Where the whole file will lie; `.part` and `.part.json` beside it hold what there is of it until then. */
  readonly destination: string
  /** What the file must be. A file of this digest that is there already is taken as it is. */
  readonly sha256?: Sha256 | undefined
}

export type Downloaded = {readonly path: string; readonly sizeBytes: number; readonly sha256: Sha256}

/**
 * Fetches `url` to `destination`, which holds all of it or is not there.
 *
 * A broken download is gone on with, in this run and in later ones, as long as the server can tell that the
 * file is the same one, or the digest will. Processes that want the same destination share one download.
 *
 * @throws {NetworkError}
 * @throws {DigestMismatchError}
 * @throws {UnexpectedSizeError}
 * @throws {@link downloadStorageError}
 * @throws {@link certificateFileError}
 * @throws {unknown} The reason of `signal`; what came so far stays.
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const paths = partPaths(options.destination)
  if (options.sha256 !== undefined) {
    const there = await describeFile(paths.destination)
    if (there?.sha256 === options.sha256) return there
  }
  const claim = await claimFor(paths, options)
  if (claim.kind === 'published') {
    const there = await describeFile(paths.destination)
    // Gone again: whoever fetched it has used it and cleaned up.
    return there === undefined ? download(options) : checkShared(there, options)
  }
  try {
    return await fetchInto(paths, claim.lock.fd, options)
  } finally {
    claim.lock.release()
  }
}

async function fetchInto(paths: PartPaths, fd: number, options: DownloadOptions): Promise<Downloaded> {
  const {url, sha256: expected} = options
  const isDigestKnown = expected !== undefined
  const part = await PartialFile.open(paths, {fd, url, isDigestKnown})
  try {
    await receive(part, {...options, isDigestKnown})
    if (isDigestKnown && part.isMixed && part.digest() !== expected) {
      // The pieces may be of two versions of the file: only a whole one can be held against its publisher.
      await part.restart()
      await receive(part, {...options, isDigestKnown})
    }
    const sha256 = part.digest()
    if (isDigestKnown && sha256 !== expected)
      throw digestMismatchError({source: url.host, expected, actual: sha256})
    await part.publish()
    return {path: paths.destination, sizeBytes: part.receivedBytes, sha256}
  } catch (error) {
    if (error instanceof DigestMismatchError || error instanceof UnexpectedSizeError) await part.discard()
    throw error
  }
}

/** What another process fetched, by the rules of this one's caller. */
function checkShared(there: Downloaded, {url, sha256, expectedBytes}: DownloadOptions): Downloaded {
  if (sha256 !== undefined && there.sha256 !== sha256) {
    throw digestMismatchError({source: url.host, expected: sha256, actual: there.sha256})
  }
  if (expectedBytes !== undefined && there.sizeBytes !== expectedBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: there.sizeBytes,
      limit: `exactly ${expectedBytes}`,
    })
  }
  return there
}

async function claimFor({part, destination}: PartPaths, options: DownloadOptions): Promise<Claim> {
  const {signal, onProgress} = options
  try {
    await mkdir(dirname(part), {recursive: true, mode: 0o700})
    return await claimPart(part, {
      destination,
      signal,
      onWait: () => onProgress?.({stage: 'download-wait'}),
    })
  } catch (error) {
    signal?.throwIfAborted()
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw downloadStorageError({path: part, reason: errno}, {cause: error})
  }
}

async function describeFile(path: string): Promise<Downloaded | undefined> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  try {
    for await (const chunk of createReadStream(path, {highWaterMark: 1 << 20})) {
      hash.update(chunk)
      sizeBytes += chunk.length
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
  return {path, sizeBytes, sha256: finishSha256(hash)}
}
