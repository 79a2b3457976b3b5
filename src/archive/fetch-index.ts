import {type FileHandle, open, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {openArchiveInput, readDescriptor} from '../compression/archive-input.js'
import {decompress} from '../compression/decompress.js'
import {CorruptArchiveError, UnknownArchiveError} from '../compression/errors.js'
import {LongLineError, readParagraphs} from '../debian/control.js'
import {ignoring} from '../host/errno.js'
import {DigestMismatchError} from '../host/errors.js'
import {makeFolders} from '../host/folders.js'
import {download} from '../host/http/download.js'
import {NetworkError, UnexpectedSizeError} from '../host/http/errors.js'
import type {ListedIndex} from './choose-index.js'
import type {ArchiveContext} from './context.js'
import {indexMismatchError, malformedIndexError, missingIndexError, storageError} from './errors.js'
import {PackageIndexBuilder} from './package-index.js'
import {RECORD_FIELDS} from './package-record.js'
import {type Place, urlInSuite} from './place.js'

/** Debian's is 57 MB; where the Release does not tell, more than this is not an index. */
const MOST_DECODED_BYTES = 512 * 2 ** 20

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: readonly (number | undefined)[] = [404, 410]

/**
 * Downloads an index, holds it against the digest in the Release, and only then reads it.
 *
 * @param onBytes - How much of it is here.
 * @returns The file that `openPackageIndex` reads.
 * @throws {MissingIndexError} @throws {@link indexMismatchError} @throws {@link malformedIndexError}
 * @throws {NetworkError} @throws {@link downloadStorageError} @throws {ToolMissingError}
 */
export async function fetchIndex(
  place: Place,
  listed: ListedIndex,
  {context, onBytes}: {context: ArchiveContext; onBytes: (receivedBytes: number) => void},
): Promise<Buffer> {
  const folder = join(context.paths.cache, 'archive', 'downloads')
  await makeFolders(folder, {mode: 0o700}).catch((error: unknown) => {
    throw storageError(folder, error)
  })
  const destination = join(folder, listed.sha256)
  for (;;) {
    await downloadIndex(place, listed, {destination, context, onBytes})
    const file = await open(destination).catch(ignoring('ENOENT'))
    // Another command wanted the same, and was done with it sooner.
    if (file === undefined) continue
    try {
      await rm(destination, {force: true})
      return await parseIndex(place, listed, {file, context})
    } finally {
      await file.close()
    }
  }
}

async function downloadIndex(
  place: Place,
  listed: ListedIndex,
  {
    destination,
    context,
    onBytes,
  }: {destination: string; context: ArchiveContext; onBytes: (receivedBytes: number) => void},
): Promise<void> {
  const paths = listed.byHashPath === undefined ? [listed.path] : [listed.byHashPath, listed.path]
  for (const path of paths) {
    try {
      const {environment, signal, backoffMs} = context
      await download({
        environment,
        signal,
        ...(backoffMs === undefined ? {} : {backoffMs}),
        url: urlInSuite(place, path),
        destination,
        sha256: listed.sha256,
        expectedBytes: listed.sizeBytes,
        maxBytes: listed.sizeBytes,
        onProgress: (event) => {
          if (event.stage === 'download') onBytes(event.receivedBytes)
          if (event.stage === 'download-retry') {
            context.onProgress?.({stage: 'retry', waitMs: event.waitMs, reason: event.reason})
          }
        },
      })
      return
    } catch (error) {
      if (error instanceof NetworkError && MISSING.includes(error.status)) continue
      if (error instanceof DigestMismatchError || error instanceof UnexpectedSizeError) {
        throw indexMismatchError({...place, file: listed.path}, {cause: error})
      }
      throw error
    }
  }
  throw missingIndexError({...place, file: listed.path})
}

async function parseIndex(
  place: Place,
  {path: listedPath, decodedBytes}: ListedIndex,
  {file, context}: {file: FileHandle; context: ArchiveContext},
): Promise<Buffer> {
  const builder = new PackageIndexBuilder()
  const reader = readParagraphs(RECORD_FIELDS, (paragraph) => builder.add(paragraph))
  try {
    const isPlain = !/\.[a-z]+$/.test(listedPath)
    const bytes = isPlain
      ? readDescriptor(file.fd, 0)
      : decompress(await openArchiveInput(file.fd), context.which).bytes
    let left = decodedBytes ?? MOST_DECODED_BYTES
    for await (const chunk of bytes) {
      context.signal?.throwIfAborted()
      left -= chunk.length
      if (left < 0)
        throw malformedIndexError({...place, reason: 'it is larger than its limit when decompressed'})
      reader.push(chunk)
    }
    reader.end()
  } catch (error) {
    if (error instanceof CorruptArchiveError || error instanceof UnknownArchiveError) {
      throw malformedIndexError({...place, reason: 'it cannot be decompressed'}, {cause: error})
    }
    if (error instanceof LongLineError)
      throw malformedIndexError({...place, reason: error.message}, {cause: error})
    throw error
  }
  return builder.finish()
}
