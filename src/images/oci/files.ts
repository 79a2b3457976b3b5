import {createReadStream, statSync} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {unlessErrno} from '../../host/errno.js'
import {readArchiveIndex} from './archive-index.js'
import {notImageFolderError} from './errors.js'

/** The files of a layout or an archive, by their relative paths. */
export type ImageFiles = {
  /** Returns the size; undefined if there is no such file. */
  sizeOf(path: string): number | undefined
  /** Reads a small file. @throws {@link notImageFolderError} When it is missing or large. */
  read(path: string): Promise<Buffer>
  /** Opens a file. @throws {@link notImageFolderError} When it is missing. */
  open(path: string, options: {readonly offset?: number; readonly signal: AbortSignal}): Readable
}

/** Maximum size of a file that is read at once: a manifest, an index or a configuration. */
const MOST_BYTES = 4 * 2 ** 20

const READ_BYTES = 256 * 1024

type FilePlace = {readonly path: string; readonly start: number; readonly sizeBytes: number}

/** Opens the files of a folder. */
export function openFolderFiles(folder: string): ImageFiles {
  return openFiles(folder, (path) => {
    const file = join(folder, path)
    const status = unlessErrno(() => statSync(file), 'ENOENT', 'ENOTDIR')
    return status?.isFile() === true ? {path: file, start: 0, sizeBytes: status.size} : undefined
  })
}

/**
 * Opens the files of an uncompressed tar archive.
 *
 * @param source - Its path as the user wrote it, for messages.
 * @throws {@link notImageFolderError}
 */
export function openArchiveFiles(archive: string, source: string): ImageFiles {
  const index = readArchiveIndex(archive, source)
  return openFiles(source, (path) => {
    const place = index.get(path)
    return place === undefined ? undefined : {path: archive, ...place}
  })
}

function openFiles(source: string, find: (path: string) => FilePlace | undefined): ImageFiles {
  const required = (path: string): FilePlace => {
    const place = find(path)
    if (place === undefined) throw notImageFolderError({path: source, reason: `it has no file ${path}`})
    return place
  }
  return {
    sizeOf: (path) => find(path)?.sizeBytes,
    async read(path) {
      const {path: file, start, sizeBytes} = required(path)
      if (sizeBytes > MOST_BYTES)
        throw notImageFolderError({path: source, reason: `${path} is over ${MOST_BYTES} bytes`})
      if (sizeBytes === 0) return Buffer.alloc(0)
      return buffer(createReadStream(file, {start, end: start + sizeBytes - 1}))
    },
    open(path, {offset = 0, signal}) {
      const {path: file, start, sizeBytes} = required(path)
      if (offset >= sizeBytes) return Readable.from([])
      const range = {start: start + offset, end: start + sizeBytes - 1}
      return createReadStream(file, {...range, signal, highWaterMark: READ_BYTES})
    },
  }
}
