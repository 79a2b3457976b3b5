/** A source that is read in advance. */
export type ReadAhead = AsyncIterable<Buffer> & {
  /** Closes the source, even before its end. */
  close(): Promise<void>
}

/** Most packages fit; the rest of a larger one is read on demand. */
const MOST_BYTES = 16 * 2 ** 20

/**
 * Reads a source at once, up to a limit, so that its decoder works while others are written.
 *
 * @returns An iterable for one use; an error of the source is thrown at its position.
 */
export function readAhead(source: AsyncIterable<Buffer>, mostBytes: number = MOST_BYTES): ReadAhead {
  const iterator = source[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  let heldBytes = 0
  let hasEnded = false
  let failure: {readonly error: unknown} | undefined
  let wake: () => void = () => {}
  const change = () => {
    wake()
    return new Promise<void>((resolve) => {
      wake = resolve
    })
  }

  const reading = (async () => {
    try {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        // Some sources reuse the memory of the chunk.
        pieces.push(Buffer.from(next.value))
        heldBytes += next.value.length
        if (hasEnded) return
        if (heldBytes >= mostBytes) await change()
        else wake()
        if (hasEnded) return
      }
    } catch (error) {
      failure = {error}
    }
    hasEnded = true
    wake()
  })()

  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const piece = pieces.shift()
        if (piece !== undefined) {
          heldBytes -= piece.length
          if (heldBytes < mostBytes) wake()
          yield piece
        } else if (failure !== undefined) throw failure.error
        else if (hasEnded) return
        else await change()
      }
    },
    async close() {
      hasEnded = true
      wake()
      await iterator.return?.().catch(() => {})
      await reading
    },
  }
}
