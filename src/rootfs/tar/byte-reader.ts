import {type CorruptArchiveError, corruptArchiveError} from '../../compression/errors.js'

/**
 * Reads a stream of buffers by length. Copies bytes only if a piece spans two buffers, so a piece is valid
 * until the next call.
 */
export type ByteReader = {
  /**
   * Returns at least one and at most that many bytes, if some are buffered: most members arrive with the
   * header's buffer.
   */
  atHand(atMost: number): Buffer | undefined
  /** Returns exactly that many bytes, or undefined if the stream ended before the first one. */
  takeOrEnd(length: number): Promise<Buffer | undefined>
  /** Returns exactly that many bytes. @throws {CorruptArchiveError} If the stream is shorter. */
  take(length: number): Promise<Buffer>
  /** Returns at least one and at most that many bytes. @throws {CorruptArchiveError} */
  some(atMost: number): Promise<Buffer>
  /** Returns the next buffer; undefined at the end. */
  next(): Promise<Buffer | undefined>
  /** @throws {CorruptArchiveError} */
  skip(length: number): Promise<void>
  /** Closes the source, even before its end. */
  close(): Promise<void>
}

export function openByteReader(source: AsyncIterable<Buffer>): ByteReader {
  const iterator = source[Symbol.asyncIterator]()
  let current: Buffer = Buffer.alloc(0)

  async function next(): Promise<Buffer | undefined> {
    while (current.length === 0) {
      const result = await iterator.next()
      if (result.done === true) return undefined
      current = result.value
    }
    const all = current
    current = Buffer.alloc(0)
    return all
  }

  function atHand(atMost: number): Buffer | undefined {
    if (current.length === 0) return undefined
    const piece = current.subarray(0, atMost)
    current = current.subarray(piece.length)
    return piece
  }

  async function some(atMost: number): Promise<Buffer> {
    if (current.length === 0) {
      const available = await next()
      if (available === undefined) throw cutShort()
      current = available
    }
    const piece = current.subarray(0, atMost)
    current = current.subarray(piece.length)
    return piece
  }

  async function takeOrEnd(length: number): Promise<Buffer | undefined> {
    if (current.length === 0) {
      const available = await next()
      if (available === undefined) return undefined
      current = available
    }
    return take(length)
  }

  async function take(length: number): Promise<Buffer> {
    if (length <= current.length) {
      const piece = current.subarray(0, length)
      current = current.subarray(length)
      return piece
    }
    const whole = Buffer.alloc(length)
    for (let filled = 0; filled < length; ) {
      const piece = await some(length - filled)
      piece.copy(whole, filled)
      filled += piece.length
    }
    return whole
  }

  async function skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) left -= (atHand(left) ?? (await some(left))).length
  }

  return {
    atHand,
    takeOrEnd,
    take,
    some,
    next,
    skip,
    async close() {
      await iterator.return?.()
    },
  }
}

function cutShort(): CorruptArchiveError {
  return corruptArchiveError({problem: 'it ends in the middle of a member'})
}
