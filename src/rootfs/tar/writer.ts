import {BLOCK_BYTES} from './header.js'
import type {DeviceNode, Member, MemberSink, Segment} from './member.js'
import {encodePaxRecords, type PaxRecord} from './pax.js'

/** Writes an archive, member by member. */
export type TarWriter = MemberSink & {
  /** Writes a comment on the archive; to be called before the first member. */
  comment(text: string): void
  /** Number of the headers written so far, of every kind. */
  readonly headers: () => number
  /** Writes the end marker: without it, the archive is incomplete for every reader. */
  finish(): void
}

/**
 * The most segments of a file that is written with its holes: a reader holds their map in memory, envs up to
 * a MiB. A file with more is written without holes.
 */
const MOST_SEGMENTS = 20_000
const ZEROS = Buffer.alloc(64 * 1024)

/** @param write - Receives bytes in order; may not keep them. */
export function openTarWriter(write: (bytes: Buffer) => void): TarWriter {
  let fillsHoles = false
  let sizeBytes = 0
  let at = 0
  let headers = 0

  function writeHeaders(encoded: Buffer): void {
    // A member has one block of its own, and one more header before that where the block has no place for its facts.
    headers += encoded.length > BLOCK_BYTES ? 2 : 1
    write(encoded)
  }

  function writeZeros(bytes: number): void {
    for (let left = bytes; left > 0; left -= ZEROS.length) write(ZEROS.subarray(0, left))
  }

  return {
    headers: () => headers,
    comment(text) {
      headers++
      write(encodePaxHeader('g', './pax_global_header', [['comment', text]]))
    },
    begin(member) {
      const segments = segmentsOf(member)
      const isSparse = segments !== undefined && segments.length <= MOST_SEGMENTS
      if (isSparse && member.kind === 'file')
        writeHeaders(encodeMember(member, {segments, realSizeBytes: member.sizeBytes}))
      else writeHeaders(encodeMember(member))
      fillsHoles = !isSparse
      at = 0
      sizeBytes = member.kind !== 'file' ? 0 : isSparse ? member.storedBytes : member.sizeBytes
    },
    data(bytes, offset) {
      if (fillsHoles) {
        writeZeros(offset - at)
        at = offset
      }
      write(bytes)
      at += bytes.length
    },
    end() {
      if (fillsHoles) writeZeros(sizeBytes - at)
      writeZeros(paddingOf(sizeBytes))
    },
    finish() {
      writeZeros(2 * BLOCK_BYTES)
    },
  }
}

function segmentsOf(member: Member) {
  return member.kind === 'file' ? member.segments : undefined
}

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
const NAME_BYTES = 100
/** Seven octal digits, and eleven. */
export const MOST_ID = 0o7777777
const MOST_SIZE = 0o77777777777

/**
 * Writes a ustar header without names of owners, so that readers use the numbers. @see POSIX pax, "ustar
 * Interchange Format"
 */
function encodeHeader(fields: HeaderFields): Buffer {
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
function encodePaxHeader(type: 'g' | 'x', name: string, records: readonly PaxRecord[]): Buffer {
  const body = encodePaxRecords(records)
  const header = encodeHeader({type, name, mode: 0o644, uid: 0, gid: 0, sizeBytes: body.length, modified: 0})
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length))])
}

/** Returns the padding from a length to the next whole block. */
function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

function writeOctal(block: Buffer, offset: number, length: number, value: number): void {
  const digits = length - 1
  const fits = value >= 0 && value < 8 ** digits
  block.write((fits ? value : 0).toString(8).padStart(digits, '0'), offset, digits, 'latin1')
}

const TYPES: Readonly<Record<Member['kind'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  device: '3',
  folder: '5',
  fifo: '6',
}

/**
 * Writes the headers of a member: a ustar header, preceded by pax records for values that do not fit. A file
 * with holes is written in GNU tar's sparse format 1.0, which Go's and Python's readers support too.
 *
 * @param sparse - Of a file whose data are its segments without the holes.
 * @see GNU tar manual, "Storing Sparse Files"
 */
function encodeMember(member: Member, sparse?: SparseFile): Buffer {
  const map = sparse === undefined ? undefined : encodeSparseMap(sparse.segments)
  const storedBytes = member.kind === 'file' ? (map?.length ?? 0) + dataBytes(member, sparse) : 0
  const name = sparse === undefined ? member.name : sparseName(member.name)
  const records = [
    ...(sparse === undefined ? [] : sparseRecords(member.name, sparse.realSizeBytes)),
    ...recordsFor(member, {name, storedBytes}),
  ]
  const {mode, uid, gid} = member
  const isBlock = member.kind === 'device' && member.device.type === 'block'
  const header = encodeHeader({
    type: isBlock ? '4' : TYPES[member.kind],
    name,
    mode: mode & 0o7777,
    uid,
    gid,
    sizeBytes: storedBytes,
    modified: Math.trunc(Number(member.modified)),
    ...('target' in member ? {target: member.target} : {}),
    ...(member.kind === 'device' ? {device: member.device} : {}),
  })
  const preface = records.length === 0 ? [] : [encodePaxHeader('x', paxName(member.name), records)]
  return Buffer.concat([...preface, header, ...(map === undefined ? [] : [map])])
}

function dataBytes(member: Extract<Member, {kind: 'file'}>, sparse: SparseFile | undefined): number {
  return sparse === undefined ? member.sizeBytes : member.storedBytes
}

function recordsFor(
  member: Member,
  {name, storedBytes}: {name: string; storedBytes: number},
): readonly PaxRecord[] {
  const records: PaxRecord[] = []
  if (name.length > NAME_BYTES) records.push(['path', name])
  if ('target' in member && member.target.length > NAME_BYTES) records.push(['linkpath', member.target])
  if (member.uid > MOST_ID) records.push(['uid', String(member.uid)])
  if (member.gid > MOST_ID) records.push(['gid', String(member.gid)])
  if (storedBytes > MOST_SIZE) records.push(['size', String(storedBytes)])
  const modified = exactTime(member.modified)
  if (modified !== undefined) records.push(['mtime', modified])
  if (member.kind === 'file' && member.capability !== undefined)
    records.push(['SCHILY.xattr.security.capability', member.capability.toString('latin1')])
  for (const name of [...(member.attributes?.keys() ?? [])].sort())
    records.push([`SCHILY.xattr.${name}`, member.attributes?.get(name)?.toString('latin1') ?? ''])
  return records
}

/** Returns the time for a record; undefined if the header's field can hold it. */
function exactTime(modified: string): string | undefined {
  const [seconds = '', fraction = ''] = modified.split('.')
  const digits = fraction.replace(/0+$/, '')
  const isPlain = digits === '' && !seconds.startsWith('-') && Number(seconds) <= MOST_SIZE
  if (isPlain) return undefined
  return digits === '' ? seconds : `${seconds}.${digits}`
}

function sparseRecords(name: string, realSizeBytes: number): PaxRecord[] {
  return [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', name],
    ['GNU.sparse.realsize', String(realSizeBytes)],
  ]
}

/** A reader without sparse support must not leave the segments under the file's name. */
function sparseName(name: string): string {
  return `./GNUSparseFile.0/${lastPart(name)}`.slice(0, NAME_BYTES)
}

/** Readers that support pax do not show it. */
function paxName(name: string): string {
  return `./PaxHeaders/${lastPart(name)}`.slice(0, NAME_BYTES)
}

function lastPart(name: string): string {
  return name.replace(/\/+$/, '').split('/').at(-1) ?? ''
}

export type SparseFile = {readonly segments: readonly Segment[]; readonly realSizeBytes: number}

/** Encodes the map of pax sparse 1.0, which precedes the data: decimal lines, padded to whole blocks. */
function encodeSparseMap(segments: readonly Segment[]): Buffer {
  const numbers = segments.flatMap(({offset, sizeBytes}) => [offset, sizeBytes])
  const lines = Buffer.from([segments.length, ...numbers].map((number) => `${number}\n`).join(''), 'latin1')
  return Buffer.concat([lines, Buffer.alloc(paddingOf(lines.length))])
}
