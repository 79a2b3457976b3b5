type Sample = {readonly atMs: number; readonly bytes: number}

/** Long enough to even out a server's bursts, short enough to follow a change. */
const WINDOW_MS = 5000
/** Before that, what is known of the pace is chance. */
const SOONEST_MS = 500
const SAMPLE_EVERY_MS = 100

/**
 * Measures how fast a count grows, over the last seconds.
 *
 * What was there before the first call is no progress, and neither is a count that began anew.
 *
 * @returns A function that takes the count and the time, and gives the pace as soon as it can be told.
 */
export function measurePace(): (bytes: number, nowMs: number) => number | undefined {
  let samples: Sample[] = []
  return (bytes, nowMs) => {
    const last = samples.at(-1)
    if (last === undefined || bytes < last.bytes) samples = [{atMs: nowMs, bytes}]
    else if (nowMs - last.atMs >= SAMPLE_EVERY_MS) samples.push({atMs: nowMs, bytes})
    while (samples.length > 2 && nowMs - (samples[1]?.atMs ?? nowMs) > WINDOW_MS) samples.shift()
    const first = samples[0]
    if (first === undefined || nowMs - first.atMs < SOONEST_MS) return undefined
    return ((bytes - first.bytes) / (nowMs - first.atMs)) * 1000
  }
}

/** Of work whose pieces take differently long: enough of them to tell the rest from, and long enough. */
const [SOONEST_SHARE, SOONEST_WORK_MS] = [0.1, 2000]

/**
 * Estimates how long the rest takes of what is counted in pieces, from all that were done since the first call.
 *
 * @returns A function that takes the counts and the time, and gives seconds as soon as they can be told.
 */
export function measureRest(): (count: number, totalCount: number, nowMs: number) => number | undefined {
  let first: {readonly count: number; readonly atMs: number} | undefined
  return (count, totalCount, nowMs) => {
    first ??= {count, atMs: nowMs}
    const [done, tookMs] = [count - first.count, nowMs - first.atMs]
    const isSteady = tookMs >= SOONEST_WORK_MS && done >= (totalCount - first.count) * SOONEST_SHARE
    if (!isSteady || done === 0 || count >= totalCount) return undefined
    return ((tookMs / done) * (totalCount - count)) / 1000
  }
}
