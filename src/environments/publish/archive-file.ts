import type {FileHandle} from 'node:fs/promises'
import {openTarWriter} from '../../rootfs/tar/writer.js'

/** An image in one file: a folder of blobs by their digest, and the documents that name them. */
export type ImageArchive = {
  /** Writes a file of known content. */
  file(name: string, content: Buffer): Promise<void>
  /**
   * Writes a file whose size and name are known at its end.
   *
   * @param produce - Writes the content. Returns the name; undefined where the file is not needed.
   */
  stream(produce: (write: WriteBlob) => Promise<string | undefined>): Promise<void>
  /** Runs a step that writes files; if it fails, they are not in the archive. */
  attempt<T>(step: () => Promise<T>): Promise<T>
  /** @returns The size of the archive. */
  finish(): Promise<number>
}

export type WriteBlob = (piece: Buffer) => Promise<void>

const BLOCK_BYTES = 512
/** Eleven octal digits. */
const MOST_OCTAL = 0o77777777777

/**
 * Writes an archive to a new file.
 *
 * Its entries have no times: the same image makes the same file.
 */
export async function openImageArchive(file: FileHandle): Promise<ImageArchive> {
  const names = new Set<string>()
  let position = 0

  async function put(bytes: Buffer): Promise<void> {
    await writeAt(file, bytes, position)
    position += bytes.length
  }

  // Also the folders: skopeo fails to give folders without an entry to root, when it runs as an ordinary user.
  for (const name of ['blobs/', 'blobs/sha256/']) await put(headerOf(name, 0))

  return {
    async file(name, content) {
      if (names.has(name)) return
      names.add(name)
      await put(Buffer.concat([headerOf(name, content.length), content, paddingAfter(content.length)]))
    },
    async stream(produce) {
      const start = position
      position += BLOCK_BYTES
      const name = await produce(put)
      if (name === undefined || names.has(name)) {
        position = start
        return
      }
      names.add(name)
      const sizeBytes = position - start - BLOCK_BYTES
      await put(paddingAfter(sizeBytes))
      await writeAt(file, headerOf(name, sizeBytes), start)
    },
    async attempt(step) {
      const [start, before] = [position, [...names]]
      try {
        return await step()
      } catch (error) {
        position = start
        names.clear()
        for (const name of before) names.add(name)
        throw error
      }
    },
    async finish() {
      await put(Buffer.alloc(2 * BLOCK_BYTES))
      await file.truncate(position)
      return position
    },
  }
}

async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const {bytesWritten} = await file.write(bytes, at, bytes.length - at, position + at)
    at += bytesWritten
  }
}

/** Returns the header of a file, or of a folder, whose name ends in a slash. */
function headerOf(name: string, sizeBytes: number): Buffer {
  const pieces: Buffer[] = []
  const writer = openTarWriter((bytes) => pieces.push(Buffer.from(bytes)))
  const common = {name, uid: 0, gid: 0, modified: '0'}
  const fits = sizeBytes <= MOST_OCTAL
  if (name.endsWith('/')) writer.begin({...common, kind: 'folder', mode: 0o755})
  else {
    const size = fits ? sizeBytes : 0
    const fields = {sizeBytes: size, storedBytes: size, capability: undefined}
    writer.begin({...common, kind: 'file', mode: 0o644, ...fields})
  }
  const [header = Buffer.alloc(BLOCK_BYTES)] = pieces
  return fits ? header : withLargeSize(header, sizeBytes)
}

/** Sets a size in GNU's form of twelve bytes, which has place in the header itself. @see GNU tar manual, "Basic Tar Format" */
function withLargeSize(header: Buffer, sizeBytes: number): Buffer {
  header.writeUInt32BE(0x8000_0000, 124)
  header.writeBigUInt64BE(BigInt(sizeBytes), 128)
  // The checksum field counts as spaces.
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  return header
}

function paddingAfter(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES)
}
