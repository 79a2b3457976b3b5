import type {RequestListener} from 'node:http'
import {setTimeout as sleep} from 'node:timers/promises'

/** An answer that sends the first bytes of `body` and then nothing, until it is told to go on. */
export function stalledAnswer(
  body: Buffer,
  {afterBytes}: {afterBytes: number},
): {answer: RequestListener; goOn: () => void} {
  let goOn = () => {}
  return {
    answer(_, response) {
      response.writeHead(200, {'content-length': body.length, etag: '"stalled"'})
      response.write(body.subarray(0, afterBytes))
      goOn = () => response.end(body.subarray(afterBytes))
    },
    goOn: () => goOn(),
  }
}

/** An answer whose body takes `durationMs`, in even pieces. */
export function throttledAnswer(body: Buffer, {durationMs}: {durationMs: number}): RequestListener {
  return async (_, response) => {
    response.writeHead(200, {'content-length': body.length, etag: '"throttled"'})
    const pieces = Math.ceil(durationMs / PIECE_MS)
    const begun = performance.now()
    for (let piece = 0; piece < pieces && !response.destroyed; piece++) {
      const at = (index: number) => Math.floor((body.length * index) / pieces)
      response.write(body.subarray(at(piece), at(piece + 1)))
      await sleep(Math.max(0, begun + (piece + 1) * PIECE_MS - performance.now()))
    }
    response.end()
  }
}

const PIECE_MS = 20
