import {corruptArchiveError} from '../../compression/errors.js'
import {readNumber} from './header-block.js'
import type {Segment} from './member.js'
import {decimal, pairs} from './pax-records.js'

const ENTRY_BYTES = 24
const HEADER_ENTRIES = {offset: 386, count: 4, continues: 482} as const
const CONTINUATION_ENTRIES = {offset: 0, count: 21, continues: 504} as const

/**
 * Reads one block of an old GNU sparse map. @see tar(5), "GNU tar archives": the fields sparse and isextended
 */
export function readSparseBlock(
  block: Buffer,
  place: 'header' | 'continuation',
): {segments: Segment[]; continues: boolean} {
  const {offset, count, continues} = place === 'header' ? HEADER_ENTRIES : CONTINUATION_ENTRIES
  const segments: Segment[] = []
  for (let index = 0; index < count; index++) {
    const at = offset + index * ENTRY_BYTES
    if (block[at] === 0) break
    segments.push({offset: readNumber(block, at, 12), sizeBytes: readNumber(block, at + 12, 12)})
  }
  return {segments, continues: block[continues] !== 0}
}

/** Returns the file's size with its holes, in an old GNU sparse header. */
export function readSparseRealSize(block: Buffer): number {
  return readNumber(block, 483, 12)
}

/** Returns the number of lines of a pax sparse 1.0 map, from its first line, at the start of the data. */
export function countSparseLines(firstBlock: Buffer): number {
  return 1 + 2 * decimal(firstBlock.toString('latin1', 0, Math.max(0, firstBlock.indexOf(0x0a))))
}

/** Reads a complete pax sparse 1.0 map: decimal lines. @throws {CorruptArchiveError} */
export function readSparseLines(map: Buffer, lines: number): Segment[] {
  return pairs(map.toString('latin1').split('\n', lines).slice(1).map(decimal))
}

/**
 * Checks the rules of a map: ordered, without overlaps, within the file, and as long as the data.
 *
 * @throws {CorruptArchiveError}
 */
export function checkSparseMap(
  segments: readonly Segment[],
  {dataBytes, realSizeBytes}: {dataBytes: number; realSizeBytes: number},
): void {
  let reached = 0
  let mapped = 0
  for (const {offset, sizeBytes} of segments) {
    if (offset < reached) throw corruptArchiveError({problem: 'a sparse file has overlapping parts'})
    reached = offset + sizeBytes
    mapped += sizeBytes
  }
  if (reached > realSizeBytes || mapped !== dataBytes) {
    throw corruptArchiveError({problem: 'a sparse file does not match its map'})
  }
}
