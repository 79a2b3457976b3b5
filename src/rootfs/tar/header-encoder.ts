import {BLOCK_BYTES} from './header-block.js'
import type {DeviceNode} from './member.js'
import {encodePaxRecords, type PaxRecord} from './pax-encoder.js'

/** Fields of a header; numbers that do not fit become 0, and a pax record has them. */
export type HeaderFields = {
  readonly type: string
  /** Byte strings, cut at 100 bytes. */
  readonly name: string
  readonly target?: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  /** Whole seconds. */
  readonly modified: number
  readonly device?: DeviceNode
}

/** Bytes of the name and of the link's target. */
export const NAME_BYTES = 100
/** Seven octal digits, and eleven. */
export const MOST_ID = 0o7777777
export const MOST_SIZE = 0o77777777777

/**
 * Writes a ustar header without names of owners, so that readers use the numbers. @see POSIX pax, "ustar
 * Interchange Format"
 */
export function encodeHeader(fields: HeaderFields): Buffer {
  const {type, name, target = '', mode, uid, gid, sizeBytes, modified, device} = fields
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(name, 0, NAME_BYTES, 'latin1')
  writeOctal(block, 100, 8, mode)
  writeOctal(block, 108, 8, uid)
  writeOctal(block, 116, 8, gid)
  writeOctal(block, 124, 12, sizeBytes)
  writeOctal(block, 136, 12, modified)
  block.write(type, 156, 1, 'latin1')
  block.write(target, 157, NAME_BYTES, 'latin1')
  block.write('ustar\x0000', 257, 8, 'latin1')
  writeOctal(block, 329, 8, device?.major ?? 0)
  writeOctal(block, 337, 8, device?.minor ?? 0)
  // The checksum field counts as spaces.
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  return block
}

/** Writes records for the next member (`x`), or for the archive (`g`), as a separate member. */
export function encodePaxHeader(type: 'g' | 'x', name: string, records: readonly PaxRecord[]): Buffer {
  const body = encodePaxRecords(records)
  const header = encodeHeader({type, name, mode: 0o644, uid: 0, gid: 0, sizeBytes: body.length, modified: 0})
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length))])
}

/** Returns the padding from a length to the next whole block. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

function writeOctal(block: Buffer, offset: number, length: number, value: number): void {
  const digits = length - 1
  const fits = value >= 0 && value < 8 ** digits
  block.write((fits ? value : 0).toString(8).padStart(digits, '0'), offset, digits, 'latin1')
}
