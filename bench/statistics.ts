/** Statistics of one contender; all in milliseconds. */
export type Summary = {
  readonly medianMs: number
  readonly minMs: number
  readonly p90Ms: number
  /** Median of the quotients with the reference's timing in the same round; undefined without both. */
  readonly ratio: number | undefined
}

/**
 * Sums up one contender. The two series are compared round by round, so that a machine that grows slower
 * in the course of the run changes both sides of every quotient.
 *
 * @param timesMs - One timing a round, at least one.
 * @param referenceMs - The reference's timings in the same rounds.
 */
export function summarize(timesMs: readonly number[], referenceMs: readonly number[]): Summary {
  const ratios = timesMs.flatMap((time, round) => {
    const reference = referenceMs[round]
    return reference === undefined ? [] : [time / reference]
  })
  return {
    medianMs: quantile(timesMs, 0.5),
    minMs: quantile(timesMs, 0),
    p90Ms: quantile(timesMs, 0.9),
    ratio: ratios.length === 0 ? undefined : quantile(ratios, 0.5),
  }
}

/** Returns a quantile, interpolated between two values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (sorted.length - 1) * part
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) throw new Error('no values')
  return below + (above - below) * (place - Math.floor(place))
}
