import {parseArgs} from 'node:util'

export type Subject = 'startup' | 'sessions' | 'extraction' | 'fetching'

export type Options = {
  readonly subjects: readonly Subject[]
  readonly isQuick: boolean
  /** For short commands, and for extractions. */
  readonly rounds: Readonly<Record<Subject, number>>
  /** Undefined for the Debian archive that the tests use. */
  readonly rootfs: string | undefined
  readonly json: string | undefined
  readonly wantsFreshFileSystem: boolean
}

export const USAGE = `usage: npm run bench -- [startup] [sessions] [extraction] [fetching] [FLAG...]

  --quick             few rounds, under two minutes: to see that it works, not to quote
  --rounds N          so many rounds of everything
  --rootfs FILE       a rootfs in a .tar.gz; made from the host's Debian mirror when left out
  --json FILE         write all timings there too
  --fresh-filesystem  extract onto a new ext4 each run: needs root and loop devices
`

const SUBJECTS: readonly Subject[] = ['startup', 'sessions', 'extraction', 'fetching']
const ROUNDS = {startup: 21, sessions: 21, extraction: 9, fetching: 9}
const QUICK_ROUNDS = {startup: 5, sessions: 5, extraction: 1, fetching: 1}

/** @throws {Error} That says which part of the command line has no meaning. */
export function parseOptions(argv: readonly string[]): Options {
  const {values, positionals} = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      quick: {type: 'boolean', default: false},
      rounds: {type: 'string'},
      rootfs: {type: 'string'},
      json: {type: 'string'},
      'fresh-filesystem': {type: 'boolean', default: false},
    },
  })
  const unknown = positionals.find((word) => !SUBJECTS.some((subject) => subject === word))
  if (unknown !== undefined) throw new Error(`There is no subject ${unknown}.`)
  return {
    subjects:
      positionals.length === 0 ? SUBJECTS : SUBJECTS.filter((subject) => positionals.includes(subject)),
    isQuick: values.quick,
    rounds: values.rounds === undefined ? (values.quick ? QUICK_ROUNDS : ROUNDS) : same(values.rounds),
    rootfs: values.rootfs,
    json: values.json,
    wantsFreshFileSystem: values['fresh-filesystem'],
  }
}

function same(text: string): Record<Subject, number> {
  const rounds = Number(text)
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--rounds ${text}: it must be a whole number above 0.`)
  return {startup: rounds, sessions: rounds, extraction: rounds, fetching: rounds}
}
