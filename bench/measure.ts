import {type Bench, type Invocation, InvocationFailedError, time} from './invocation.js'
import {meterLoad, type Patience} from './load.js'
import {quantile, type Summary, summarize} from './statistics.js'

/** Something to time. Only `argv` of what `prepare` returns is timed. */
export type Contender = {
  readonly name: string
  /** A peer that does not work here is left out with the reason; a failure of `ours` ends the run. */
  readonly side: 'peer' | 'ours'
  /** Before each run, for example makes a fresh folder or stops an environment. */
  readonly prepare: () => Promise<Invocation> | Invocation
  /** After each run, also after a failure. */
  readonly tidy?: () => Promise<void>
}

export type Absence = {readonly name: string; readonly reason: string}

/** Contenders that are compared with each other. */
export type Group = {
  readonly title: string
  /** The timed part of each contender, and why the jobs are comparable: a sentence or two. */
  readonly compared: string
  /** Name of the contender that the others are divided by. */
  readonly reference: string
  readonly contenders: readonly Contender[]
  readonly absent: readonly Absence[]
}

export type Row = Summary & {readonly name: string; readonly timesMs: readonly number[]}

export type Result = {
  readonly title: string
  readonly compared: string
  readonly reference: string
  readonly rounds: number
  /** Whether a warm-up round preceded. */
  readonly isWarm: boolean
  readonly rows: readonly Row[]
  readonly absent: readonly Absence[]
  /** Cores that other processes used during the measurement, over the rounds. */
  readonly othersCores: {readonly median: number; readonly worst: number}
}

export type MeasureOptions = {
  readonly rounds: number
  /** Also counts the round that finds out which contenders work: for a quick run. */
  readonly countsFirst?: boolean
  readonly bench: Bench
  readonly patience: Patience
  readonly signal: AbortSignal
}

/**
 * Times all contenders once a round, each round beginning with another one, after one warm-up round, unless
 * that counts.
 *
 * @throws {InvocationFailedError} If envs fails, or a peer after it had worked.
 */
export async function measure(group: Group, options: MeasureOptions): Promise<Result> {
  const {countsFirst = false} = options
  const first = meterLoad()
  const {present, absent, timesMs} = await tryOut(group, options)
  const times = new Map(
    present.map(({name}, index) => [name, countsFirst ? timesMs.slice(index, index + 1) : []]),
  )
  const others = countsFirst ? [first.othersCores()] : []
  for (let round = countsFirst ? 1 : 0; round < options.rounds; round++) {
    await options.patience.waitForQuiet()
    const meter = meterLoad()
    for (const contender of rotated(present, round)) {
      times.get(contender.name)?.push(await runOnce(contender, options))
    }
    others.push(meter.othersCores())
  }
  const reference = times.get(group.reference) ?? []
  return {
    title: group.title,
    compared: group.compared,
    reference: group.reference,
    rounds: options.rounds,
    isWarm: !countsFirst,
    rows: [...times].map(([name, timesMs]) => ({name, timesMs, ...summarize(timesMs, reference)})),
    absent: [...group.absent, ...absent],
    othersCores: {median: quantile(others, 0.5), worst: quantile(others, 1)},
  }
}

async function tryOut(
  group: Group,
  options: MeasureOptions,
): Promise<{present: Contender[]; absent: Absence[]; timesMs: number[]}> {
  const present: Contender[] = []
  const timesMs: number[] = []
  const absent: Absence[] = []
  for (const contender of group.contenders) {
    try {
      timesMs.push(await runOnce(contender, options))
      present.push(contender)
    } catch (error) {
      if (contender.side === 'ours' || !(error instanceof InvocationFailedError)) throw error
      absent.push({name: contender.name, reason: error.message})
    }
  }
  return {present, absent, timesMs}
}

async function runOnce({prepare, tidy}: Contender, {bench, signal}: MeasureOptions): Promise<number> {
  signal.throwIfAborted()
  try {
    return await time(await prepare(), bench)
  } finally {
    await tidy?.()
  }
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const cut = items.length === 0 ? 0 : by % items.length
  return [...items.slice(cut), ...items.slice(0, cut)]
}
