/** Passes the bytes on until an abort. */
export async function* abortable(
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    signal?.throwIfAborted()
    yield piece
  }
}
