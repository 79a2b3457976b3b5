import {encodeHeader, encodePaxHeader, MOST_ID, MOST_SIZE, NAME_BYTES} from './header-encoder.js'
import type {Member} from './member.js'
import type {PaxRecord} from './pax-encoder.js'
import {encodeSparseMap, type SparseFile} from './sparse-encoder.js'

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
export function encodeMember(member: Member, sparse?: SparseFile): Buffer {
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
