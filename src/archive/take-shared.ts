import {createHash} from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {finishSha256, type Sha256} from '../host/digest.js'
import {isErrno, unlessErrno} from '../host/errno.js'

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL} = constants

const PIECE_BYTES = 1 << 20

/**
 * Copies a package that guests can write to, and makes sure of the copy: what is hashed is what is kept, whatever
 * becomes of the original meanwhile.
 *
 * By blocking calls, of which a usual package takes a millisecond: it is less than another thread costs for each.
 *
 * @param source - Anything may lie there: a link, a FIFO, a folder.
 * @param target - Must not be there yet.
 * @returns Whether the copy is there; what is not the package is as none.
 * @throws {NodeJS.ErrnoException} When the copy can't be written.
 */
export function takeShared(
  source: string,
  target: string,
  {sizeBytes, sha256}: {readonly sizeBytes: number; readonly sha256: Sha256},
): boolean {
  const from = openHostile(source)
  if (from === undefined) return false
  try {
    const status = fstatSync(from)
    if (!status.isFile() || status.size !== sizeBytes) return false
    if (copyBytes(from, target, sizeBytes) !== sha256) {
      rmSync(target, {force: true})
      return false
    }
    touch(from)
    return true
  } finally {
    closeSync(from)
  }
}

function openHostile(path: string): number | undefined {
  return unlessErrno(() => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
}

/** @returns The digest of what was written; never more than `sizeBytes` are read. */
function copyBytes(from: number, target: string, sizeBytes: number): Sha256 {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(sizeBytes, PIECE_BYTES))
  const to = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    for (let at = 0; at < sizeBytes; ) {
      const length = readSync(from, buffer, 0, Math.min(buffer.length, sizeBytes - at), at)
      if (length === 0) break
      const piece = buffer.subarray(0, length)
      hash.update(piece)
      writeFileSync(to, piece)
      at += length
    }
  } catch (error) {
    rmSync(target, {force: true})
    throw error
  } finally {
    closeSync(to)
  }
  return finishSha256(hash)
}

/** What was used last stays longest. */
function touch(file: number): void {
  try {
    const now = new Date()
    futimesSync(file, now, now)
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}
