/** Longest tail with the end marker, its checksum and the padding to a byte. */
export const BZIP2_END_BYTES = 11

const END_MARKER = 0x177245385090n

/**
 * Returns whether these are the last bytes of a bzip2 stream: bzip2(1) ignores trailing bytes, and reports
 * them only on standard error.
 *
 * @param tail - The last {@link BZIP2_END_BYTES} of the input.
 * @see bzip2 has no specification; the layout (48-bit marker, 32-bit checksum, zero bits to the byte) is that
 * of its decoder.
 */
export function endsBzip2Stream(tail: Buffer): boolean {
  const bits = BigInt(`0x00${tail.toString('hex')}`)
  for (let padding = 0n; padding < 8n; padding++) {
    if (((bits >> (padding + 32n)) & 0xffffffffffffn) === END_MARKER) return true
  }
  return false
}
