import {type CorruptArchiveError, corruptArchiveError} from '../../compression/errors.js'
import type {Segment} from './member.js'

/** Records of a pax header that change a member; all others are ignored. */
export type PaxRecords = {
  path?: string
  linkpath?: string
  sizeBytes?: number
  uid?: number
  gid?: number
  modified?: string
  capability?: Buffer
  /** `user.*`, without those of overlayfs: it would take them for its own. */
  attributes?: Map<string, Buffer>
  sparse?: PaxSparse
  /** A comment of the writer; not about a member. */
  comment?: string
}

/** GNU's sparse files in pax: 0.0 and 0.1 have the map in records, 1.0 at the start of the data. */
export type PaxSparse = {
  name?: string
  realSizeBytes?: number
  segments?: Segment[]
  /** Offset of a 0.0 pair without its length. */
  openOffset?: number
  mapInData?: boolean
}

/** Encodings of extended attributes: bytes, or base64. @see tar(5), "Pax Interchange Format" */
const CAPABILITY_ENCODINGS: Readonly<Record<string, 'latin1' | 'base64'>> = {
  'SCHILY.xattr.security.capability': 'latin1',
  'LIBARCHIVE.xattr.security.capability': 'base64',
}

const USER_ATTRIBUTE = 'SCHILY.xattr.user.'

/**
 * Reads the records of a pax header: `LENGTH KEY=VALUE\n`, by length, so that a value may contain any byte.
 *
 * @throws {CorruptArchiveError}
 * @see POSIX pax, extended header; GNU tar manual, "Storing Sparse Files"
 */
export function readPaxRecords(body: Buffer): PaxRecords {
  const records: PaxRecords = {}
  let at = 0
  while (at < body.length) {
    // Some writers pad the records with zeros to the block.
    if (body[at] === 0) break
    const space = body.indexOf(0x20, at)
    const length = space === -1 ? Number.NaN : decimal(body.toString('latin1', at, space))
    const end = at + length
    const equals = body.indexOf(0x3d, space)
    if (!(end <= body.length) || body[end - 1] !== 0x0a || equals === -1 || equals >= end) throw malformed()
    apply(records, body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1))
    at = end
  }
  return records
}

function apply(records: PaxRecords, key: string, value: string): void {
  if (key.startsWith('GNU.sparse.')) {
    records.sparse ??= {}
    applySparse(records.sparse, key.slice('GNU.sparse.'.length), value)
    return
  }
  const encoding = CAPABILITY_ENCODINGS[key]
  if (encoding !== undefined) {
    records.capability = Buffer.from(value, encoding)
    return
  }
  if (key.startsWith(USER_ATTRIBUTE)) {
    const name = key.slice(USER_ATTRIBUTE.length - 'user.'.length)
    if (name.startsWith('user.overlay.') || name.includes('\0')) return
    records.attributes ??= new Map()
    records.attributes.set(name, Buffer.from(value, 'latin1'))
    return
  }
  // POSIX: an empty value cancels a global record; envs supports no global records for names.
  if (value === '') return
  if (key === 'path') records.path = value
  else if (key === 'linkpath') records.linkpath = value
  else if (key === 'size') records.sizeBytes = decimal(value)
  else if (key === 'uid') records.uid = decimal(value)
  else if (key === 'gid') records.gid = decimal(value)
  else if (key === 'mtime') records.modified = timestamp(value)
  else if (key === 'comment') records.comment = value
}

function applySparse(sparse: PaxSparse, key: string, value: string): void {
  switch (key) {
    case 'name':
      sparse.name = value
      return
    case 'size':
    case 'realsize':
      sparse.realSizeBytes = decimal(value)
      return
    case 'major':
      sparse.mapInData = decimal(value) >= 1
      return
    case 'map':
      sparse.segments = pairs(value === '' ? [] : value.split(',').map(decimal))
      return
    case 'offset':
      sparse.openOffset = decimal(value)
      return
    case 'numbytes':
      if (sparse.openOffset === undefined) throw malformed()
      sparse.segments ??= []
      sparse.segments.push({offset: sparse.openOffset, sizeBytes: decimal(value)})
      delete sparse.openOffset
  }
}

/** Returns pairs of offsets and lengths, as in every sparse map. @throws {CorruptArchiveError} */
export function pairs(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw malformed()
  return Array.from({length: numbers.length / 2}, (_, index) => ({
    offset: numbers[index * 2] ?? 0,
    sizeBytes: numbers[index * 2 + 1] ?? 0,
  }))
}

/** @throws {CorruptArchiveError} */
export function decimal(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw malformed()
  return value
}

function timestamp(text: string): string {
  if (!/^-?\d{1,16}(?:\.\d{0,32})?$/.test(text)) throw malformed()
  return text
}

function malformed(): CorruptArchiveError {
  return corruptArchiveError({problem: 'a pax header is malformed'})
}

/** A key and its value; both byte strings (latin1, one character a byte). */
export type PaxRecord = readonly [key: string, value: string]

/**
 * Encodes the body of a pax header: `LENGTH KEY=VALUE\n`; the length includes its own digits.
 *
 * @see POSIX pax, "pax Extended Header"
 */
export function encodePaxRecords(records: readonly PaxRecord[]): Buffer {
  return Buffer.from(records.map(formatRecord).join(''), 'latin1')
}

function formatRecord([key, value]: PaxRecord): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}
