import {Header} from 'tar/header'
import {corruptArchiveError} from '../../compression/errors.js'
import {refusedMemberError} from '../errors.js'
import type {DeviceNode, Member} from './member.js'
import type {PaxRecords} from './pax.js'

/** Extension headers that modify the next header. */
export type Preface = {
  readonly records: PaxRecords
  readonly longName?: string | undefined
  readonly longTarget?: string | undefined
}

type Kind = Member['kind']

const KINDS: Readonly<Record<string, Kind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'fifo',
  '7': 'file',
  D: 'folder',
  S: 'file',
}

const NO_DEVICE: DeviceNode = {type: 'char', major: 0, minor: 0}

/**
 * Combines a header and its extensions. A file has `storedBytes` of data; other kinds have none, regardless
 * of their size field, as in GNU tar.
 *
 * @throws {@link refusedMemberError} When the type is none a rootfs can hold.
 */
export function describeMember(header: HeaderBlock, {records, longName, longTarget}: Preface): Member {
  const name = records.sparse?.name ?? records.path ?? longName ?? header.name
  const kind = kindOf(header.type, name)
  const {mode} = header
  const uid = records.uid ?? header.uid
  const gid = records.gid ?? header.gid
  const modified = records.modified ?? header.modified
  switch (kind) {
    case 'file': {
      const sizeBytes = records.sizeBytes ?? header.sizeBytes
      const {capability} = records
      const sizes = {sizeBytes, storedBytes: sizeBytes}
      return {kind, name, mode, uid, gid, modified, ...sizes, capability, ...attributesOf(records)}
    }
    case 'symlink':
    case 'hardlink':
      return {kind, name, mode, uid, gid, modified, target: records.linkpath ?? longTarget ?? header.target}
    case 'folder':
      return {kind, name, mode, uid, gid, modified, ...attributesOf(records)}
    case 'fifo':
      return {kind, name, mode, uid, gid, modified}
    case 'device':
      return {kind, name, mode, uid, gid, modified, device: header.device ?? NO_DEVICE}
  }
}

function attributesOf({attributes}: PaxRecords): Pick<Member, 'attributes'> {
  return attributes === undefined ? {} : {attributes}
}

function kindOf(type: string, name: string): Kind {
  const kind = KINDS[type]
  if (kind === undefined)
    throw refusedMemberError({member: name, reason: `its type ${JSON.stringify(type)} is not supported`})
  // Before POSIX, a folder was a file whose name ends in a slash.
  return kind === 'file' && name.endsWith('/') ? 'folder' : kind
}

export const BLOCK_BYTES = 512

/** One header of the archive, before long names and pax records are applied. */
export type HeaderBlock = {
  readonly type: string
  readonly name: string
  readonly target: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly modified: string
  /** Undefined for any other type. */
  readonly device: DeviceNode | undefined
}

/**
 * Reads a header. `tar`'s Header reads numbers that are not plain octal. Names are read as bytes. envs reads
 * the size itself, because Header sets it to 0 if the truncated form of a long name ends in a slash.
 *
 * @throws {CorruptArchiveError} On a wrong checksum or a field that is not a number.
 * @see tar(5): v7, ustar, GNU
 */
export function readHeaderBlock(block: Buffer): HeaderBlock {
  const type = String.fromCharCode(block[156] ?? 0)
  return {
    type,
    name: readName(block),
    target: block[157] === 0 ? '' : readText(block, 157, 100),
    ...(readOctalFields(block) ?? readFieldsByHeader(block)),
    sizeBytes: readNumber(block, 124, 12),
    device: type === '3' || type === '4' ? readDevice(block, type) : undefined,
  }
}

/** Missing numbers, as in v7, are 0. */
function readDevice(block: Buffer, type: '3' | '4'): DeviceNode {
  const number = (offset: number) => Math.max(0, readOctal(block, offset, 8))
  return {type: type === '4' ? 'block' : 'char', major: number(329), minor: number(337)}
}

type NumberFields = Pick<HeaderBlock, 'mode' | 'uid' | 'gid' | 'modified'>

/**
 * Reads the form of nearly every header, without the dozen strings that Header makes of each: these take a
 * tenth of an extraction. Returns undefined if a field has another form, or the checksum is wrong.
 */
function readOctalFields(block: Buffer): NumberFields | undefined {
  const mode = readOctal(block, 100, 8)
  const uid = readOctal(block, 108, 8)
  const gid = readOctal(block, 116, 8)
  const modified = readOctal(block, 136, 12)
  if (mode < 0 || uid < 0 || gid < 0 || modified < 0) return undefined
  if (readOctal(block, 148, 8) !== checksum(block)) return undefined
  return {mode: mode & 0o7777, uid, gid, modified: String(modified)}
}

/** Reads octal digits ended by a space or a zero byte; -1 for other fields. */
function readOctal(block: Buffer, offset: number, length: number): number {
  let value = 0
  for (let at = offset; at < offset + length; at++) {
    const byte = block[at] ?? 0
    if (byte === 0 || byte === 0x20) return at === offset ? -1 : value
    if (byte < 0x30 || byte > 0x37) return -1
    value = value * 8 + byte - 0x30
  }
  return value
}

/** Adds all bytes, with the checksum field counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20
  for (let at = 0; at < BLOCK_BYTES; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0
  return sum
}

function readFieldsByHeader(block: Buffer): NumberFields {
  const header = decode(block)
  if (!header.cksumValid) throw corruptArchiveError({problem: 'a member header has a wrong checksum'})
  return {
    mode: wholeNumber(header.mode) & 0o7777,
    uid: wholeNumber(header.uid),
    gid: wholeNumber(header.gid),
    modified: String(wholeNumber((header.mtime?.getTime() ?? Number.NaN) / 1000)),
  }
}

/**
 * Reads a number field: octal text, or base 256 if its first bit is set.
 *
 * @throws {CorruptArchiveError} If it is neither, negative, or larger than a double holds exactly.
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
  throw corruptArchiveError({problem: 'a member header has a field that is not a number'})
}

function decode(block: Buffer): Header {
  try {
    return new Header(block)
  } catch (error) {
    throw corruptArchiveError({problem: 'a member header cannot be decoded'}, {cause: error})
  }
}

function wholeNumber(value: number | undefined): number {
  if (Number.isSafeInteger(value) && value !== undefined) return value
  throw corruptArchiveError({problem: 'a member header has a field that is not a number'})
}

function readName(block: Buffer): string {
  const name = readText(block, 0, 100)
  if (block[345] === 0) return name
  // GNU's magic is `ustar  `: such headers have other fields in place of the POSIX prefix.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0'
  return isPosix ? `${readText(block, 345, 155)}/${name}` : name
}

function readText(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset)
  return block.toString('latin1', offset, end === -1 ? offset + length : Math.min(end, offset + length))
}
