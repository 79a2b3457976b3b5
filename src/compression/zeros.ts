const ZEROS = Buffer.alloc(64 * 1024)

/** Compares by memory blocks: a loop over the bytes would cost more than writing them. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length)
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false
  }
  return true
}
