import {corruptArchiveError} from '../../compression/errors.js'
import {refusedMemberError} from '../errors.js'
import type {Limits} from '../limits.js'
import type {ByteReader} from './byte-reader.js'
import {BLOCK_BYTES, type HeaderBlock, readNumber} from './header.js'
import type {Member, MemberSink, Segment} from './member.js'
import {decimal, type PaxRecords, pairs} from './pax.js'

type FileMember = Extract<Member, {kind: 'file'}>

type SparseSource = {
  readonly member: FileMember
  readonly block: Buffer
  readonly records: PaxRecords
  readonly isOldFormat: boolean
}

/** Returns whether a file's data are its segments without the holes. */
export function isSparse(header: HeaderBlock, {sparse}: PaxRecords): boolean {
  return header.type === 'S' || sparse?.mapInData === true || sparse?.segments !== undefined
}

/**
 * Passes a sparse file on, segment by segment.
 *
 * @throws {CorruptArchiveError} When the map contradicts itself or the data.
 * @throws {@link refusedMemberError} When the file with its holes, or its map, is larger than a limit.
 */
export async function copySparse(
  reader: ByteReader,
  source: SparseSource,
  sink: MemberSink,
  limits: Limits,
): Promise<void> {
  const {member, records} = source
  const realSizeBytes = source.isOldFormat ? readSparseRealSize(source.block) : records.sparse?.realSizeBytes
  if (realSizeBytes === undefined) throw corruptArchiveError({problem: 'a sparse file has no size'})
  const {segments, mapBytes} = await readMap(reader, source, limits)
  const dataBytes = member.storedBytes - mapBytes
  checkSparseMap(segments, {dataBytes, realSizeBytes})
  sink.begin({...member, sizeBytes: realSizeBytes, storedBytes: dataBytes, segments})
  for (const {offset, sizeBytes} of segments) {
    for (let at = 0; at < sizeBytes; ) {
      const piece = await reader.some(sizeBytes - at)
      sink.data(piece, offset + at)
      at += piece.length
    }
  }
  sink.end()
}

/** `mapBytes` is the size of the map within the member's data. */
async function readMap(
  reader: ByteReader,
  {member, block, records, isOldFormat}: SparseSource,
  limits: Limits,
): Promise<{segments: readonly Segment[]; mapBytes: number}> {
  if (isOldFormat) return {segments: await readBlocks(reader, block, {member, limits}), mapBytes: 0}
  if (records.sparse?.mapInData !== true) return {segments: records.sparse?.segments ?? [], mapBytes: 0}
  const first = Buffer.from(await reader.take(BLOCK_BYTES))
  const blocks = [first]
  const lines = countSparseLines(first)
  for (let seen = countLines(first); seen < lines; ) {
    const mapBytes = (blocks.length + 1) * BLOCK_BYTES
    if (mapBytes > Math.min(member.storedBytes, limits.headerBytes)) {
      throw corruptArchiveError({problem: 'a sparse file has an incomplete map'})
    }
    const block = Buffer.from(await reader.take(BLOCK_BYTES))
    blocks.push(block)
    seen += countLines(block)
  }
  return {segments: readSparseLines(Buffer.concat(blocks), lines), mapBytes: blocks.length * BLOCK_BYTES}
}

function countLines(block: Buffer): number {
  let lines = 0
  for (let at = block.indexOf(0x0a); at !== -1; at = block.indexOf(0x0a, at + 1)) lines++
  return lines
}

async function readBlocks(
  reader: ByteReader,
  header: Buffer,
  {member, limits}: {member: FileMember; limits: Limits},
): Promise<Segment[]> {
  let {segments, continues} = readSparseBlock(header, 'header')
  for (let blocks = 1; continues; blocks++) {
    if (blocks * BLOCK_BYTES > limits.headerBytes) {
      throw refusedMemberError({member: member.name, reason: 'its sparse map is too long'})
    }
    const next = readSparseBlock(await reader.take(BLOCK_BYTES), 'continuation')
    segments = segments.concat(next.segments)
    continues = next.continues
  }
  return segments
}

const ENTRY_BYTES = 24
const HEADER_ENTRIES = {offset: 386, count: 4, continues: 482} as const
const CONTINUATION_ENTRIES = {offset: 0, count: 21, continues: 504} as const

/**
 * Reads one block of an old GNU sparse map. @see tar(5), "GNU tar archives": the fields sparse and isextended
 */
function readSparseBlock(
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
function readSparseRealSize(block: Buffer): number {
  return readNumber(block, 483, 12)
}

/** Returns the number of lines of a pax sparse 1.0 map, from its first line, at the start of the data. */
function countSparseLines(firstBlock: Buffer): number {
  return 1 + 2 * decimal(firstBlock.toString('latin1', 0, Math.max(0, firstBlock.indexOf(0x0a))))
}

/** Reads a complete pax sparse 1.0 map: decimal lines. @throws {CorruptArchiveError} */
function readSparseLines(map: Buffer, lines: number): Segment[] {
  return pairs(map.toString('latin1').split('\n', lines).slice(1).map(decimal))
}

/**
 * Checks the rules of a map: ordered, without overlaps, within the file, and as long as the data.
 *
 * @throws {CorruptArchiveError}
 */
function checkSparseMap(
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
