import {corruptArchiveError} from '../../compression/errors.js'
import {isZero} from '../../compression/input.js'
import {refusedMemberError} from '../errors.js'
import type {Limits} from '../limits.js'
import {type ByteReader, openByteReader} from './byte-reader.js'
import {BLOCK_BYTES, describeMember, type HeaderBlock, readHeaderBlock} from './header.js'
import type {MemberSink} from './member.js'
import {type PaxRecords, readPaxRecords} from './pax.js'
import {copySparse, isSparse} from './sparse.js'

/** `strict`: as archives are written; `open`: as layers of container images are, whose digest proves that they are whole. */
export type TarEnd = 'strict' | 'open'

/**
 * Reads a tar archive (v7, ustar, pax, GNU) completely and passes its members on.
 *
 * @param end - `open`: takes an archive without members, without an end marker, and with anything after it.
 * @throws {CorruptArchiveError} Damaged, without its end marker, or followed by anything but zeros.
 * @throws {@link refusedMemberError} When it outgrows a limit or holds a type that is not supported.
 * @see tar(5); POSIX pax(1), "ustar Interchange Format"
 */
export async function readTar(
  source: AsyncIterable<Buffer>,
  sink: MemberSink,
  limits: Limits,
  end: TarEnd = 'strict',
): Promise<void> {
  const reader = openByteReader(source)
  try {
    await readMembers(reader, sink, {limits, end})
    await expectEnd(reader, {limits, end})
  } finally {
    await reader.close()
  }
}

type State = {
  global: PaxRecords
  local: PaxRecords | undefined
  longName: string | undefined
  longTarget: string | undefined
}

type ReadRules = {readonly limits: Limits; readonly end: TarEnd}

async function readMembers(reader: ByteReader, sink: MemberSink, {limits, end}: ReadRules): Promise<void> {
  const state: State = {global: {}, local: undefined, longName: undefined, longTarget: undefined}
  for (let headers = 0; ; headers++) {
    const block = await reader.takeOrEnd(BLOCK_BYTES)
    if (block === undefined) {
      if (end === 'open') return
      throw corruptArchiveError({problem: 'it has no end marker: it was cut short'})
    }
    if (isZero(block)) {
      if (headers === 0 && end === 'strict') throw corruptArchiveError({problem: 'it holds nothing'})
      return
    }
    const header = readHeaderBlock(block)
    if (headers >= limits.members) {
      throw refusedMemberError({
        member: header.name,
        reason: `it is one more than the ${limits.members} an archive may hold`,
      })
    }
    if (PREFACES.has(header.type)) {
      await readPreface(reader, header, state, limits)
      continue
    }
    await readMember(reader, {header, block, state}, sink, limits)
    state.local = undefined
    state.longName = undefined
    state.longTarget = undefined
  }
}

/** Headers that only describe later members, or have no effect. */
const PREFACES = new Set(['x', 'X', 'g', 'L', 'K', 'V'])

async function readPreface(
  reader: ByteReader,
  header: HeaderBlock,
  state: State,
  limits: Limits,
): Promise<void> {
  switch (header.type) {
    case 'x':
    case 'X':
      state.local = readPaxRecords(await readBody(reader, header, limits))
      return
    case 'g': {
      // A name, a size or a map for every later member makes no sense, and readers disagree on it.
      const {uid, gid, modified} = readPaxRecords(await readBody(reader, header, limits))
      state.global = {
        ...state.global,
        ...(uid === undefined ? {} : {uid}),
        ...(gid === undefined ? {} : {gid}),
        ...(modified === undefined ? {} : {modified}),
      }
      return
    }
    case 'L':
      state.longName = readLongText(await readBody(reader, header, limits))
      return
    case 'K':
      state.longTarget = readLongText(await readBody(reader, header, limits))
      return
  }
}

async function readBody(reader: ByteReader, header: HeaderBlock, limits: Limits): Promise<Buffer> {
  if (header.sizeBytes > limits.headerBytes) {
    throw refusedMemberError({member: header.name, reason: `it is a header of ${header.sizeBytes} bytes`})
  }
  const body = await reader.take(header.sizeBytes)
  await reader.skip(padding(header.sizeBytes))
  return body
}

function readLongText(body: Buffer): string {
  const end = body.indexOf(0)
  return body.toString('latin1', 0, end === -1 ? body.length : end)
}

async function readMember(
  reader: ByteReader,
  {header, block, state}: {header: HeaderBlock; block: Buffer; state: State},
  sink: MemberSink,
  limits: Limits,
): Promise<void> {
  const {longName, longTarget} = state
  const records = state.local === undefined ? state.global : {...state.global, ...state.local}
  const member = describeMember(header, {records, longName, longTarget})
  if (member.kind !== 'file') {
    sink.begin(member)
    if (header.type === 'D') await reader.skip(header.sizeBytes + padding(header.sizeBytes))
    return
  }
  if (isSparse(header, records)) {
    await copySparse(reader, {member, block, records, isOldFormat: header.type === 'S'}, sink, limits)
  } else {
    sink.begin(member)
    for (let at = 0; at < member.storedBytes; ) {
      const wanted = member.storedBytes - at
      const piece = reader.atHand(wanted) ?? (await reader.some(wanted))
      sink.data(piece, at)
      at += piece.length
    }
    sink.end()
  }
  const left = padding(member.storedBytes)
  if (left > 0) await reader.skip(left)
}

/** Returns the padding from a length to the next whole block. */
function padding(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

/** POSIX: two blocks of zeros end an archive; writers pad with more of them to a whole record. */
async function expectEnd(reader: ByteReader, {limits, end}: ReadRules): Promise<void> {
  const isStrict = end === 'strict'
  const second = await reader.takeOrEnd(BLOCK_BYTES)
  if (second === undefined && isStrict)
    throw corruptArchiveError({problem: 'half of its end marker is missing'})
  let paddingBytes = 0
  for (let rest: Buffer | undefined = second; rest !== undefined; rest = await reader.next()) {
    paddingBytes += rest.length
    if ((isStrict && !isZero(rest)) || paddingBytes > limits.paddingBytes) {
      throw corruptArchiveError({problem: 'there is data after its end marker'})
    }
  }
}
