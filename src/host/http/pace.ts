/** The least that a server has to send, as curl's --speed-limit and --speed-time have it. */
export type LeastPace = {readonly bytes: number; readonly withinMs: number}

/** 1 KiB a second: a mobile network of the second generation has four. */
export const LEAST_PACE: LeastPace = {bytes: 60 * 1024, withinMs: 60_000}

/** Counts what a server sends, and how long it lets its client wait; what the client does meanwhile is not its time. */
export type Pace = {
  /**
   * @param waitedMs - How long this piece was waited for.
   * @returns What the server does, in half a sentence, when it is too slow.
   */
  note(bytes: number, waitedMs: number): string | undefined
}

/** @param mostMs - What counts of a single wait: this process, too, may have stood still. */
export function openPace(least: LeastPace, {mostMs}: {readonly mostMs: number}): Pace {
  let received = 0
  let waitedMs = 0
  return {
    note(bytes, ms) {
      received += bytes
      waitedMs += Math.min(ms, mostMs)
      if (received >= least.bytes) {
        received = 0
        waitedMs = 0
        return undefined
      }
      if (waitedMs < least.withinMs) return undefined
      return `it sent only ${received} bytes in ${Math.round(waitedMs / 1000)} seconds`
    },
  }
}

/** The pieces of a body, each with how long it was waited for. */
export async function* timed(
  body: AsyncIterable<Buffer>,
): AsyncGenerator<{readonly chunk: Buffer; readonly waitedMs: number}> {
  let asked = performance.now()
  for await (const chunk of body) {
    yield {chunk, waitedMs: performance.now() - asked}
    asked = performance.now()
  }
}
