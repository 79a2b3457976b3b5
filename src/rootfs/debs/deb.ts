import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs'
import {type DebPart, readDebParts} from '../../apt/format/deb.js'
import {decompress} from '../../compression/decompress.js'
import type {FindProgram} from '../../compression/host-program.js'
import {type ArchiveInput, readDescriptor, SNIFF_BYTES} from '../../compression/input.js'
import {type PackageControl, readControl} from './control.js'

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

/** A source that is read in advance. */
export type ReadAhead = AsyncIterable<Buffer> & {
  /** Closes the source, even before its end. */
  close(): Promise<void>
}

/** Most packages fit; the rest of a larger one is read on demand. */
const MOST_BYTES = 16 * 2 ** 20

/**
 * Reads a source at once, up to a limit, so that its decoder works while others are written.
 *
 * @returns An iterable for one use; an error of the source is thrown at its position.
 */
export function readAhead(source: AsyncIterable<Buffer>, mostBytes: number = MOST_BYTES): ReadAhead {
  const iterator = source[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  let heldBytes = 0
  let hasEnded = false
  let failure: {readonly error: unknown} | undefined
  let wake: () => void = () => {}
  const change = () => {
    wake()
    return new Promise<void>((resolve) => {
      wake = resolve
    })
  }

  const reading = (async () => {
    try {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        // Some sources reuse the memory of the chunk.
        pieces.push(Buffer.from(next.value))
        heldBytes += next.value.length
        if (hasEnded) return
        if (heldBytes >= mostBytes) await change()
        else wake()
        if (hasEnded) return
      }
    } catch (error) {
      failure = {error}
    }
    hasEnded = true
    wake()
  })()

  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const piece = pieces.shift()
        if (piece !== undefined) {
          heldBytes -= piece.length
          if (heldBytes < mostBytes) wake()
          yield piece
        } else if (failure !== undefined) throw failure.error
        else if (hasEnded) return
        else await change()
      }
    },
    async close() {
      hasEnded = true
      wake()
      await iterator.return?.().catch(() => {})
      await reading
    },
  }
}
