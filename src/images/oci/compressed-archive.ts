import {randomBytes} from 'node:crypto'
import {closeSync, openSync, readSync, statfsSync, unlinkSync, writeSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {decompress} from '../../compression/decompress.js'
import {CorruptArchiveError} from '../../compression/errors.js'
import {type Compression, detectCompression, openArchiveInput, SNIFF_BYTES} from '../../compression/input.js'
import {isErrno, unlessErrno} from '../../host/errno.js'
import {makeFolders} from '../../host/files.js'
import {openHost} from '../../host/host.js'
import {isImageMember} from './archive-index.js'
import {archiveTooLargeError, notImageFolderError} from './errors.js'

/** An uncompressed archive. */
export type PlainArchive = {
  readonly path: string
  /** Frees the space of a copy; the second call has no effect. */
  close(): void
}

/**
 * Opens an archive for reading at any position. That of a compressed one is a copy without a name: it is gone when the
 * command ends, also if it is killed.
 *
 * @param options.folder - Has room for the copy. Default: that of temporary files.
 * @throws {@link notImageFolderError} @throws {@link archiveTooLargeError} @throws {@link archiveToolMissingError}
 */
export async function openPlainArchive(
  path: string,
  {folder = tmpdir()}: {readonly folder?: string | undefined},
): Promise<PlainArchive> {
  const compressed = openCompressed(path)
  if (compressed === undefined) return {path, close() {}}
  try {
    await makeFolders(folder, {mode: 0o700})
    const copy = openNameless(folder)
    try {
      await copyInto(copy, {path, folder, archive: compressed})
    } catch (error) {
      closeSync(copy)
      throw error
    }
    return {path: `/proc/self/fd/${copy}`, close: once(() => closeSync(copy))}
  } finally {
    closeSync(compressed)
  }
}

/** Returns whether a file is compressed, and begins as an archive of images does. */
export async function beginsAsCompressedImages(path: string): Promise<boolean> {
  const fd = unlessErrno(() => openCompressed(path), 'ENOENT', 'ENOTDIR', 'EACCES')
  if (fd === undefined) return false
  try {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of decompress(await openArchiveInput(fd), openHost().which).bytes) {
      chunks.push(Buffer.from(chunk))
      length += chunk.length
      if (length >= START_BYTES) break
    }
    return isImageMember(Buffer.concat(chunks))
  } catch {
    // Any other use of the file tells why it can't be read.
    return false
  } finally {
    closeSync(fd)
  }
}

/** Has the first name, behind extension headers. */
const START_BYTES = 4096

/** @returns undefined for a file that is not compressed. @throws {NodeJS.ErrnoException} */
function openCompressed(path: string): number | undefined {
  const fd = openSync(path, 'r')
  const compression = compressionOf(fd)
  if (compression !== undefined && compression !== 'none') return fd
  closeSync(fd)
  return undefined
}

function compressionOf(fd: number): Compression | undefined {
  const start = Buffer.alloc(SNIFF_BYTES)
  try {
    return detectCompression(start.subarray(0, readSync(fd, start, 0, SNIFF_BYTES, 0)))
  } catch (error) {
    if (isErrno(error, 'EISDIR')) return undefined
    throw error
  }
}

/** A number that was closed may be that of another file already. */
function once(close: () => void): () => void {
  let isClosed = false
  return () => {
    if (isClosed) return
    isClosed = true
    close()
  }
}

function openNameless(folder: string): number {
  const path = join(folder, `.archive.${randomBytes(8).toString('hex')}`)
  const fd = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return fd
}

type Copy = {readonly path: string; readonly folder: string; readonly archive: number}

async function copyInto(copy: number, {path, folder, archive}: Copy): Promise<void> {
  const {bavail, bsize} = statfsSync(folder)
  // The other half is for what the layers unpack to.
  let left = (bavail * bsize) / 2
  try {
    for await (const chunk of decompress(await openArchiveInput(archive), openHost().which).bytes) {
      left -= chunk.length
      if (left < 0) throw archiveTooLargeError({path, folder})
      for (let done = 0; done < chunk.length; ) done += writeSync(copy, chunk, done)
    }
  } catch (error) {
    if (error instanceof CorruptArchiveError)
      throw notImageFolderError({path, reason: 'it is damaged, or cut short'}, {cause: error})
    throw error
  }
}
