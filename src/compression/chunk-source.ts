/** A queue of chunks, of which one can be put back. */
export type ChunkSource = {
  next(): Promise<Buffer | undefined>
  giveBack(chunk: Buffer): void
  close(): Promise<void>
}

export function openChunkSource(bytes: AsyncIterable<Buffer>): ChunkSource {
  const iterator = bytes[Symbol.asyncIterator]()
  let returned: Buffer | undefined
  return {
    async next() {
      if (returned !== undefined) {
        const chunk = returned
        returned = undefined
        return chunk
      }
      const result = await iterator.next()
      return result.done === true ? undefined : result.value
    },
    giveBack(chunk) {
      returned = chunk
    },
    async close() {
      await iterator.return?.()
    },
  }
}
