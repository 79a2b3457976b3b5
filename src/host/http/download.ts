import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {dirname} from 'node:path'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {finishSha256, type Sha256} from '../digest.js'
import {isErrno} from '../errno.js'
import {DigestMismatchError, digestMismatchError} from '../errors.js'
import {type ReceiveOptions, receive} from './attempt.js'
import {downloadStorageError, UnexpectedSizeError, unexpectedSizeError} from './errors.js'
import {claimPart, type PartClaim, PartialFile, type PartPaths, partPaths} from './part.js'

export type DownloadOptions = ReceiveOptions & {
  /** Path of the complete file; `.part` and `.part.json` next to it hold the incomplete download. */
  readonly destination: string
  /** The required digest. An existing file with this digest is not downloaded again. */
  readonly sha256?: Sha256 | undefined
}

export type Downloaded = {readonly path: string; readonly sizeBytes: number; readonly sha256: Sha256}

/**
 * Downloads `url` to `destination`, where it appears complete or not at all.
 *
 * An interrupted download is resumed, in this run and in later ones, if the server or the digest can prove that
 * the file is unchanged. Processes with the same destination share one download.
 *
 * @throws {NetworkError}
 * @throws {DigestMismatchError}
 * @throws {UnexpectedSizeError}
 * @throws {@link downloadStorageError}
 * @throws {@link certificateFileError}
 * @throws {unknown} The reason of `signal`; the partial file stays.
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const paths = partPaths(options.destination)
  if (options.sha256 !== undefined) {
    const existing = await describeFile(paths.destination)
    if (existing?.sha256 === options.sha256) return existing
  }
  const claim = await claimFor(paths, options)
  if (claim.kind === 'published') {
    const existing = await describeFile(paths.destination)
    // The process that fetched the file may have removed it after its use.
    return existing === undefined ? download(options) : checkShared(existing, options)
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
      // The parts may come from two versions of the file: only a full download proves that the publisher's digest
      // is not met.
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

/** Checks a file that another process fetched against the options of this caller. */
function checkShared(existing: Downloaded, {url, sha256, expectedBytes}: DownloadOptions): Downloaded {
  if (sha256 !== undefined && existing.sha256 !== sha256) {
    throw digestMismatchError({source: url.host, expected: sha256, actual: existing.sha256})
  }
  if (expectedBytes !== undefined && existing.sizeBytes !== expectedBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: existing.sizeBytes,
      limit: `exactly ${expectedBytes}`,
    })
  }
  return existing
}

async function claimFor({part, destination}: PartPaths, options: DownloadOptions): Promise<PartClaim> {
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
    throw downloadStorageError({path: part, reason: wordsForErrno(errno)}, {cause: error})
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
