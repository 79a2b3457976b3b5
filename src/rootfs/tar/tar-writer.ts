import {BLOCK_BYTES} from './header-block.js'
import {encodePaxHeader, paddingOf} from './header-encoder.js'
import type {Member, MemberSink} from './member.js'
import {encodeMember} from './member-encoder.js'

/** Writes an archive, member by member. */
export type TarWriter = MemberSink & {
  /** Writes a comment on the archive; to be called before the first member. */
  comment(text: string): void
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

  function writeZeros(bytes: number): void {
    for (let left = bytes; left > 0; left -= ZEROS.length) write(ZEROS.subarray(0, left))
  }

  return {
    comment(text) {
      write(encodePaxHeader('g', './pax_global_header', [['comment', text]]))
    },
    begin(member) {
      const segments = segmentsOf(member)
      const isSparse = segments !== undefined && segments.length <= MOST_SEGMENTS
      if (isSparse && member.kind === 'file')
        write(encodeMember(member, {segments, realSizeBytes: member.sizeBytes}))
      else write(encodeMember(member))
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
