import {writeSync} from 'node:fs'

/** Writes bytes to a descriptor, in chunks large enough to make the cost of the calls negligible. */
export type ArchiveOutput = {
  write(bytes: Buffer): void
  /** Writes buffered bytes. */
  flush(): void
}

const PIECE_BYTES = 256 * 1024

/** @param fd - Written by blocking calls, so that the reader limits the speed. */
export function openArchiveOutput(fd: number): ArchiveOutput {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  let held = 0

  function flush(): void {
    writeAll(piece.subarray(0, held))
    held = 0
  }

  function writeAll(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
  }

  return {
    write(bytes) {
      if (held + bytes.length > PIECE_BYTES) flush()
      if (bytes.length > PIECE_BYTES) writeAll(bytes)
      else held += bytes.copy(piece, held)
    },
    flush,
  }
}
