import {createGunzip} from 'node:zlib'
import {openChunkSource} from './chunk-source.js'
import {corruptArchiveError} from './errors.js'
import {isZero} from './zeros.js'
import {throughZlib, ZLIB_OPTIONS} from './zlib-stream.js'

/**
 * Inflates one or more gzip members. Zeros may follow, as gzip(1) allows; other bytes are an error.
 *
 * @throws {CorruptArchiveError} From the iteration.
 */
export async function* gunzip(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = openChunkSource(bytes)
  try {
    yield* throughZlib(createGunzip(ZLIB_OPTIONS), source, 'gzip')
    // zlib stops at a zero after a member, so check the rest here.
    for (let rest = await source.next(); rest !== undefined; rest = await source.next()) {
      if (!isZero(rest)) throw corruptArchiveError({problem: 'there is data after its gzip stream'})
    }
  } finally {
    await source.close()
  }
}
