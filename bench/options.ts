import {resolve} from 'node:path'
import {parseArgs} from 'node:util'

export type Subject =
  | 'startup'
  | 'sessions'
  | 'streams'
  | 'layers'
  | 'extraction'
  | 'large'
  | 'fetching'
  | 'bootstrap'
  | 'apt'
  | 'services'
  | 'registry'
  | 'network'

export type Options = {
  readonly subjects: readonly Subject[]
  readonly isQuick: boolean
  readonly rounds: Readonly<Record<Subject, number>>
  /** Undefined for the Debian archive that the tests use. */
  readonly rootfs: string | undefined
  readonly json: string | undefined
  readonly wantsFreshFileSystem: boolean
  /** A built checkout of another version, to compare sessions with. */
  readonly former: string | undefined
  /** Name of the user who runs the programs; undefined for the caller. */
  readonly user: string | undefined
}

export const USAGE = `usage: npm run bench -- [startup] [sessions] [streams] [layers] [extraction] [large]
                        [fetching] [bootstrap] [apt] [services] [registry] [network] [FLAG...]

Everything but bootstrap, apt, services, registry and network when nothing is named: they need the network, other
programs or root, and minutes.

  --quick             few rounds, little files, under two minutes: to see that it works, not to quote
  --rounds N          so many rounds of everything
  --rootfs FILE       a rootfs in a .tar.gz; made from the host's Debian mirror when left out
  --json FILE         write all timings there too
  --fresh-filesystem  extract and install onto a new ext4 each run: needs root and loop devices
  --former FOLDER     sessions: beside those of another version, in this built checkout of it
  --as USER           run by root: the programs run as this user, but for what only root can do
`

const USUAL: readonly Subject[] = [
  ...(['startup', 'sessions', 'streams', 'layers', 'extraction', 'large', 'fetching'] as const),
]
const SUBJECTS: readonly Subject[] = [...USUAL, 'bootstrap', 'apt', 'services', 'registry', 'network']
const ROUNDS: Options['rounds'] = {
  startup: 21,
  sessions: 21,
  streams: 7,
  layers: 9,
  extraction: 9,
  large: 3,
  fetching: 9,
  bootstrap: 5,
  apt: 3,
  services: 5,
  registry: 3,
  network: 5,
}
const QUICK_ROUNDS: Options['rounds'] = {...same('1'), startup: 3, sessions: 3}

/** @throws {Error} With the invalid part of the command line. */
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
      former: {type: 'string'},
      as: {type: 'string'},
    },
  })
  const unknown = positionals.find((word) => !SUBJECTS.some((subject) => subject === word))
  if (unknown !== undefined) throw new Error(`There is no subject ${unknown}.`)
  return {
    subjects: positionals.length === 0 ? USUAL : SUBJECTS.filter((subject) => positionals.includes(subject)),
    isQuick: values.quick,
    rounds: values.rounds === undefined ? (values.quick ? QUICK_ROUNDS : ROUNDS) : same(values.rounds),
    rootfs: values.rootfs,
    json: values.json,
    wantsFreshFileSystem: values['fresh-filesystem'],
    former: values.former === undefined ? undefined : resolve(values.former),
    user: values.as,
  }
}

function same(text: string): Record<Subject, number> {
  const rounds = Number(text)
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--rounds ${text}: it must be a whole number above 0.`)
  return {
    startup: rounds,
    sessions: rounds,
    streams: rounds,
    layers: rounds,
    extraction: rounds,
    large: rounds,
    fetching: rounds,
    bootstrap: rounds,
    apt: rounds,
    services: rounds,
    registry: rounds,
    network: rounds,
  }
}
