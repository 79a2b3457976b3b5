import {availableParallelism} from 'node:os'
import {parseArgs} from 'node:util'
import type {Identity} from '../src/sandbox/identity.js'
import {isPackage, PACKAGES, type Package} from './packages.js'

export type Options = {
  readonly packages: readonly Package[]
  /** Undefined for both. */
  readonly identity: Identity | undefined
  readonly jobs: number
  /** Undefined for the Debian archive that the tests use. */
  readonly rootfs: string | undefined
  readonly json: string | undefined
  readonly writesDocument: boolean
}

export const USAGE = `usage: npm run matrix -- [FLAG...]
       npm run matrix -- services --help

  --only PKG,PKG       these packages alone
  --identity IDENTITY  mapped or emulated; both when left out
  --jobs N             so many environments at a time; as many as there are cores when left out
  --rootfs FILE        another rootfs archive; made from the host's Debian mirror when left out
  --json FILE          write the results there too
  --write              write docs/compatibility.md: the whole table only
`

/** @throws {Error} With the invalid part of the command line. */
export function parseOptions(argv: readonly string[]): Options {
  const {values} = parseArgs({
    args: [...argv],
    options: {
      only: {type: 'string'},
      identity: {type: 'string'},
      jobs: {type: 'string'},
      rootfs: {type: 'string'},
      json: {type: 'string'},
      write: {type: 'boolean', default: false},
    },
  })
  const {only, identity, jobs, rootfs, json, write} = values
  if (write && (only !== undefined || identity !== undefined))
    throw new Error('--write writes the whole table: it goes without --only and --identity.')
  return {
    packages: only === undefined ? PACKAGES : only.split(',').map(parsePackage),
    identity: identity === undefined ? undefined : parseIdentity(identity),
    jobs: jobs === undefined ? availableParallelism() : parseJobs(jobs),
    rootfs,
    json,
    writesDocument: write,
  }
}

function parsePackage(word: string): Package {
  if (!isPackage(word)) throw new Error(`--only ${word}: the table has ${PACKAGES.join(', ')}.`)
  return word
}

function parseIdentity(word: string): Identity {
  if (word !== 'mapped' && word !== 'emulated')
    throw new Error(`--identity ${word}: it is mapped or emulated.`)
  return word
}

function parseJobs(word: string): number {
  if (!/^[1-9]\d?$/.test(word)) throw new Error(`--jobs ${word}: it must be a whole number from 1 to 99.`)
  return Number(word)
}
