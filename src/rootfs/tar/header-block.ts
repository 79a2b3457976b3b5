import {Header} from 'tar/header'
import {CorruptArchiveError} from '../errors.js'

export const BLOCK_BYTES = 512

/** One header as it stands in the archive, before long names and pax records are applied to it. */
export type HeaderBlock = {
  readonly type: string
  readonly name: string
  readonly target: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly modified: string
}

/**
 * Reads a header. `tar`'s Header checks the sum and reads the plain numbers; names are taken as bytes, and
 * the size by our own rule, since Header sets it to 0 when the truncated name of a long one ends in a slash.
 *
 * @throws {CorruptArchiveError} On a wrong checksum or a field that is not a number.
 * @see tar(5): v7, ustar, GNU
 */
export function readHeaderBlock(block: Buffer): HeaderBlock {
  const header = decode(block)
  if (!header.cksumValid) throw new CorruptArchiveError('a member header has a wrong checksum')
  return {
    type: block.toString('latin1', 156, 157),
    name: readName(block),
    target: readText(block, 157, 100),
    mode: wholeNumber(header.mode) & 0o7777,
    uid: wholeNumber(header.uid),
    gid: wholeNumber(header.gid),
    sizeBytes: readNumber(block, 124, 12),
    modified: String(wholeNumber((header.mtime?.getTime() ?? Number.NaN) / 1000)),
  }
}

/**
 * A number field: octal text, or base 256 when its first bit is set.
 *
 * @throws {CorruptArchiveError} When it is neither, negative, or past what a double holds exactly.
 */
export function readNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0
  if (first === 0x80) {
    const value = BigInt(`0x${block.toString('hex', offset + 1, offset + length)}`)
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  } else if ((first & 0x80) === 0) {
    const text = readText(block, offset, length).trim()
    if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  }
  throw new CorruptArchiveError('a member header has a field that is not a number')
}

function decode(block: Buffer): Header {
  try {
    return new Header(block)
  } catch (error) {
    throw new CorruptArchiveError('a member header does not decode', error)
  }
}

function wholeNumber(value: number | undefined): number {
  if (Number.isSafeInteger(value) && value !== undefined) return value
  throw new CorruptArchiveError('a member header has a field that is not a number')
}

function readName(block: Buffer): string {
  const name = readText(block, 0, 100)
  // GNU's own magic is `ustar  `: there, other fields stand where POSIX has the prefix.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isPosix ? readText(block, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function readText(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset)
  return block.toString('latin1', offset, end === -1 ? offset + length : Math.min(end, offset + length))
}
