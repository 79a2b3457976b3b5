import {paddingOf} from './header-encoder.js'
import type {Segment} from './member.js'

export type SparseFile = {readonly segments: readonly Segment[]; readonly realSizeBytes: number}

/** Encodes the map of pax sparse 1.0, which precedes the data: decimal lines, padded to whole blocks. */
export function encodeSparseMap(segments: readonly Segment[]): Buffer {
  const numbers = segments.flatMap(({offset, sizeBytes}) => [offset, sizeBytes])
  const lines = Buffer.from([segments.length, ...numbers].map((number) => `${number}\n`).join(''), 'latin1')
  return Buffer.concat([lines, Buffer.alloc(paddingOf(lines.length))])
}
