import {byteSize, bytesOf} from '../config/schema.js'
import {UsageError} from '../errors.js'
import type {Limits} from '../sandbox/limits/schema.js'

/** One limit as `envs set` and the flags of `create` and `try` take it. */
type LimitText = {
  readonly field: Exclude<keyof Limits, 'isRequired'>
  /** Placeholder of the value in the help. */
  readonly value: string
  readonly doc: string
  /** Completes "must be …". */
  readonly allowed: string
  /** Returns undefined when the text is no value. */
  readonly parse: (text: string) => number | undefined
}

/** Less than a shell needs would make an environment that starts nothing. */
const LEAST_MEMORY = 16_000_000
const LEAST_PROCESSES = 16
/** The kernel has no more processors, and no more processes. */
const [MOST_CPUS, MOST_PROCESSES] = [8192, 4_194_304]
const LEAST_CPUS = 0.01
const MOST_WEIGHT = 10_000

/** The limits by name. A new one is a line here, and a field in the schema of src/sandbox/limits/limits.ts. */
export const LIMIT_TEXTS = {
  memory: {
    field: 'memoryBytes',
    value: 'SIZE',
    doc: 'most memory of all its processes together: 500M, 2G',
    allowed: 'a size from 16M on, such as 500M or 2G',
    parse: (text) => atLeast(LEAST_MEMORY, sizeIn(text)),
  },
  cpus: {
    field: 'cpus',
    value: 'NUMBER',
    doc: 'most time of processors: 0.5, 2',
    allowed: `a number of processors from ${LEAST_CPUS} on, such as 0.5 or 2`,
    parse: (text) => within(LEAST_CPUS, MOST_CPUS, /^\d{1,4}(?:\.\d{1,2})?$/.test(text) ? Number(text) : NaN),
  },
  processes: {
    field: 'processes',
    value: 'NUMBER',
    doc: 'most processes and threads [default: 4096]',
    allowed: `a number from ${LEAST_PROCESSES} on`,
    parse: (text) => within(LEAST_PROCESSES, MOST_PROCESSES, wholeIn(text)),
  },
  'io-weight': {
    field: 'ioWeight',
    value: 'WEIGHT',
    doc: 'share of the time of disks, 1 to 10000; 100 is usual',
    allowed: `a number from 1 to ${MOST_WEIGHT}`,
    parse: (text) => within(1, MOST_WEIGHT, wholeIn(text)),
  },
  disk: {
    field: 'diskBytes',
    value: 'SIZE',
    doc: 'most space on disk, measured before each session: 20G',
    allowed: 'a size, such as 500M or 20G',
    parse: (text) => atLeast(1, sizeIn(text)),
  },
  timeout: {
    field: 'timeoutSeconds',
    value: 'TIME',
    doc: 'end each session after this time, with status 124',
    allowed: 'a time in seconds, minutes or hours, such as 90s, 10m or 2h',
    parse: (text) => atLeast(1, secondsIn(text)),
  },
} as const satisfies Readonly<Record<string, LimitText>>

export type LimitName = keyof typeof LIMIT_TEXTS

/** Returns the limits of flags by their names, as settings of an environment. @throws {UsageError} */
export function limitsIn(flags: Readonly<Record<string, unknown>>): {readonly limits?: Limits} {
  const given = Object.entries(LIMIT_TEXTS).flatMap(([name, {field, parse, allowed}]) => {
    const text = flags[name]
    if (typeof text !== 'string') return []
    const value = parse(text)
    if (value === undefined) throw new UsageError(`--${name} "${text}" is invalid: it must be ${allowed}.`)
    return [[field, value] as const]
  })
  const isRequired = flags['require-limits'] === true
  if (given.length === 0 && !isRequired) return {}
  if (given.length === 0) throw new UsageError('--require-limits needs a limit.', ['Give one: --memory 2G'])
  return {limits: {...Object.fromEntries(given), ...(isRequired ? {isRequired} : {})}}
}

/** Parses `--timeout` of a session. @throws {UsageError} */
export function parseTimeout(text: string): number {
  const {timeout} = LIMIT_TEXTS
  const seconds = timeout.parse(text)
  if (seconds !== undefined) return seconds
  throw new UsageError(`--timeout "${text}" is invalid: it must be ${timeout.allowed}.`)
}

function sizeIn(text: string): number {
  return byteSize.parseText(text) === undefined ? NaN : bytesOf(text)
}

function wholeIn(text: string): number {
  return /^\d{1,7}$/.test(text) ? Number(text) : NaN
}

const UNIT_SECONDS: Readonly<Record<string, number>> = {s: 1, m: 60, h: 3600}

function secondsIn(text: string): number {
  const {count, unit = ''} = /^(?<count>\d{1,5})(?<unit>[smh])$/.exec(text)?.groups ?? {}
  return Number(count) * (UNIT_SECONDS[unit] ?? NaN)
}

function atLeast(least: number, value: number): number | undefined {
  return value >= least ? value : undefined
}

function within(least: number, most: number, value: number): number | undefined {
  return value >= least && value <= most ? value : undefined
}
