import {parseArgs} from 'node:util'
import type {Identity} from '../../src/sandbox/identity.js'
import type {Cell} from './cell.js'
import {SERVICE_PACKAGES, type ServicePackage} from './packages.js'

export type ServicesOptions = {
  readonly releases: readonly string[]
  readonly identities: readonly Identity[] | undefined
  readonly inits: readonly Cell['init'][]
  readonly packages: readonly ServicePackage[]
  /** A name for the column: which control groups systemd has on this host. */
  readonly groups: string
  /** Where the environments with the packages are kept for the next run; undefined: they are removed. */
  readonly store: string | undefined
  readonly writesDocument: boolean
}

export const SERVICES_USAGE = `usage: npm run matrix -- services [FLAG...]

Boots environments with twenty-one services in them, and asks each for an answer.

  --release NAME,NAME  focal, jammy, noble, trixie; all of them when left out
  --identity IDENTITY  mapped or emulated; both when left out
  --init INIT          systemd or services; both when left out
  --only PKG,PKG       these packages alone
  --groups KIND        what the control groups of this host are: delegated or make-believe, for the column of systemd
  --store FOLDER       keep the environments with the packages there, and take what a former run has left there
  --write              put the rows of this run into matrix/services.tsv, and the table into docs/compatibility.md
`

const RELEASES = ['focal', 'jammy', 'noble', 'trixie'] as const
const INITS = ['systemd', 'services'] as const
const GROUPS = ['delegated', 'make-believe'] as const

/** @throws {Error} With the invalid part of the command line. */
export function parseServicesOptions(argv: readonly string[]): ServicesOptions {
  const {values} = parseArgs({
    args: [...argv],
    options: {
      release: {type: 'string', default: RELEASES.join(',')},
      identity: {type: 'string'},
      init: {type: 'string', default: INITS.join(',')},
      only: {type: 'string'},
      groups: {type: 'string', default: 'make-believe'},
      store: {type: 'string'},
      write: {type: 'boolean', default: false},
    },
  })
  const {release, identity, init, only, groups, store, write} = values
  return {
    releases: oneOrMore('--release', release, RELEASES),
    identities:
      identity === undefined ? undefined : oneOrMore('--identity', identity, ['mapped', 'emulated']),
    inits: oneOrMore('--init', init, INITS),
    packages: only === undefined ? SERVICE_PACKAGES : packagesOf(only),
    groups: oneOrMore('--groups', groups, GROUPS).join(),
    store,
    writesDocument: write,
  }
}

function oneOrMore<T extends string>(flag: string, words: string, known: readonly T[]): T[] {
  return words.split(',').map((word) => {
    const found = known.find((each) => each === word)
    if (found === undefined) throw new Error(`${flag} ${word}: it is one of ${known.join(', ')}.`)
    return found
  })
}

function packagesOf(words: string): ServicePackage[] {
  const names = oneOrMore(
    '--only',
    words,
    SERVICE_PACKAGES.map(({name}) => name),
  )
  return SERVICE_PACKAGES.filter(({name}) => names.includes(name))
}
