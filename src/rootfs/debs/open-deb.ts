import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs'
import {type ArchiveInput, readDescriptor} from '../../compression/archive-input.js'
import {decompress} from '../../compression/decompress.js'
import {SNIFF_BYTES} from '../../compression/format.js'
import type {FindProgram} from '../../compression/host-decoder.js'
import {type DebPart, readDebParts} from '../../debian/deb-archive.js'
import {type PackageControl, readControl} from './control-files.js'
import {readAhead} from './read-ahead.js'

/** The file of a package, verified by an index. */
export type DebFile = {readonly name: string; readonly path: string}

/** A package whose control data was read. */
export type OpenDeb = {
  readonly control: PackageControl
  /**
   * The archive of its files. It is decompressed from now on, within the memory limit, even without a reader.
   */
  readonly data: AsyncIterable<Buffer>
  /** To be called after reading, or instead of it. */
  close(): Promise<void>
}

/**
 * Opens a package's file.
 *
 * Decompresses the data only after the control: the decoder in WebAssembly reads one stream at a time, and a
 * stream that waits for memory would block all later ones.
 *
 * @param name - In the index.
 * @throws {DebFormatError} @throws {PackageRefusedError} @throws {CorruptArchiveError} @throws
 * {NodeJS.ErrnoException}
 */
export async function openDeb({name, path}: DebFile, which: FindProgram): Promise<OpenDeb> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const parts = readDebParts((offset, length) => readAt(fd, offset, length), fstatSync(fd).size)
    const control = await readControl(decompress(inputOf(fd, parts.control), which).bytes, name)
    const data = readAhead(decompress(inputOf(fd, parts.data), which).bytes)
    return {
      control,
      data,
      async close() {
        await data.close()
        closeSync(fd)
      },
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function inputOf(fd: number, {offset, sizeBytes}: DebPart): ArchiveInput {
  return {
    start: readAt(fd, offset, Math.min(SNIFF_BYTES, sizeBytes)),
    bytes: readPart(fd, {offset, sizeBytes}),
  }
}

async function* readPart(fd: number, {offset, sizeBytes}: Omit<DebPart, 'name'>): AsyncGenerator<Buffer> {
  let left = sizeBytes
  for await (const piece of readDescriptor(fd, offset)) {
    yield piece.subarray(0, left)
    left -= piece.length
    if (left <= 0) return
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
}
