import {corruptArchiveError} from '../../compression/errors.js'
import {refusedMemberError} from '../errors.js'
import type {Limits} from '../limits.js'
import type {ByteReader} from './byte-reader.js'
import {BLOCK_BYTES, type HeaderBlock} from './header-block.js'
import type {Member, MemberSink, Segment} from './member.js'
import type {PaxRecords} from './pax-records.js'
import {
  checkSparseMap,
  countSparseLines,
  readSparseBlock,
  readSparseLines,
  readSparseRealSize,
} from './sparse-map.js'

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
