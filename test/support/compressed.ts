import {execFileSync} from 'node:child_process'
import {gzipSync} from 'node:zlib'
import type {Compression} from '../../src/compression/input.js'
import {which} from './extraction.js'

const COMPRESSORS: Readonly<Record<Exclude<Compression, 'none' | 'gzip'>, readonly string[]>> = {
  bzip2: ['bzip2', '-c'],
  xz: ['xz', '-c', '-1'],
  zstd: ['zstd', '-c', '-q', '--check'],
}

/** Why this format can't be made here, or false. */
export function missingCompressor(format: Compression): string | false {
  if (format === 'none' || format === 'gzip') return false
  const [program = ''] = COMPRESSORS[format]
  return which(program) === undefined && `${program} is not installed`
}

export function compressed(format: Compression, bytes: Buffer, ...options: readonly string[]): Buffer {
  if (format === 'none') return bytes
  if (format === 'gzip') return gzipSync(bytes)
  const [program = '', ...own] = COMPRESSORS[format]
  return execFileSync(program, [...own, ...options], {
    input: bytes,
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
}

/** Bytes no compressor makes much smaller, the same in every run. */
export function noise(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let state = 1
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}
