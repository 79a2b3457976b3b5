import {Header} from 'tar/header'

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd' | 'bzip2'

/** Bytes for `detectCompression`: a whole tar header, which has no magic in the oldest format. */
export const SNIFF_BYTES = 512

const BLOCK_MAGIC = Buffer.from('314159265359', 'hex')
const END_MAGIC = Buffer.from('177245385090', 'hex')

/**
 * Detects a format by its first bytes, not by the file name.
 *
 * @param start - The first {@link SNIFF_BYTES}, or fewer if the input is shorter.
 * @returns Undefined for any other format.
 * @see RFC 1952, RFC 8878 section 3.1, the .xz file format 1.2.1, tar(5)
 */
export function detectCompression(start: Buffer): Compression | undefined {
  if (start.length < 8) return undefined
  if (start.readUInt16BE(0) === 0x1f8b) return 'gzip'
  if (start.toString('latin1', 0, 6) === '\xfd7zXZ\0') return 'xz'
  if (start.readUInt32LE(0) === 0xfd2fb528) return 'zstd'
  // Parallel compressors begin with a skippable frame.
  if (start.readUInt32LE(0) >>> 4 === 0x184d2a5) return 'zstd'
  if (isBzip2(start)) return 'bzip2'
  return isTarHeader(start) ? 'none' : undefined
}

function isBzip2(start: Buffer): boolean {
  const magic = start.subarray(4, 10)
  return (
    /^BZh[1-9]/.test(start.toString('latin1', 0, 4)) && (magic.equals(BLOCK_MAGIC) || magic.equals(END_MAGIC))
  )
}

function isTarHeader(start: Buffer): boolean {
  if (start.length < SNIFF_BYTES) return false
  if (start.toString('latin1', 257, 262) === 'ustar') return true
  // The oldest format has no magic, but a valid checksum by chance is improbable.
  try {
    const {cksumValid, nullBlock} = new Header(start)
    return cksumValid || nullBlock
  } catch {
    return false
  }
}
