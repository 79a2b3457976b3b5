import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../../host/errno.js'
import {templatePath} from '../../host/paths.js'
import {MalformedListingError} from '../listing/errors.js'
import {parseDistroInfo} from './distro-info.js'
import {type CataloguedDistribution, isReleased, type Release} from './release.js'

/** All releases that are known, each distribution's in the order they were begun. */
export type Catalogue = {readonly releases: readonly Release[]}

export const DISTRIBUTIONS: readonly CataloguedDistribution[] = ['ubuntu', 'debian']

/** The package distro-info-data keeps its tables here, and its updates reach releases of years ago. */
const HOST_FOLDER = '/usr/share/distro-info'

/**
 * Reads the table of each distribution: the newest of the one built in and those in `folders`.
 *
 * A table of the host that is missing, malformed or older is passed over: it can only add to what is built in.
 *
 * @param folders - Where newer `ubuntu.csv` and `debian.csv` may lie: the host's, by default.
 */
export async function readCatalogue(folders?: readonly string[]): Promise<Catalogue> {
  if (folders !== undefined) return readTables(folders)
  hostCatalogue ??= readTables([HOST_FOLDER])
  return hostCatalogue
}

/** What was read once: one command asks for it several times, and it changes with the host's packages alone. */
let hostCatalogue: Catalogue | undefined

function readTables(folders: readonly string[]): Catalogue {
  return {releases: DISTRIBUTIONS.flatMap((distribution) => newestTable(distribution, folders))}
}

/** What a word stands for: a codename, a version, or a name that moves (`ubuntu`, `stable`). */
export function resolveRelease(word: string, {releases}: Catalogue, now: Date): Release | undefined {
  return (
    releases.find(({codename, version}) => codename === word || version === word) ??
    movingRelease(word, {releases}, now)
  )
}

/** The newest long-term release that is out: what `ubuntu` alone means. */
export function newestLts({releases}: Catalogue, now: Date): Release | undefined {
  return releases.findLast(
    (release) => release.distribution === 'ubuntu' && release.isLts && isReleased(release, now),
  )
}

/** All words that `resolveRelease` knows, for suggestions. */
export function releaseWords({releases}: Catalogue): string[] {
  return [
    ...releases.flatMap(({codename, version}) => (version === undefined ? [codename] : [codename, version])),
    ...DISTRIBUTIONS,
    ...DEBIAN_NAMES,
  ]
}

/** @see https://www.debian.org/releases/ */
const DEBIAN_NAMES = ['stable', 'oldstable', 'oldoldstable', 'testing', 'unstable'] as const

function movingRelease(word: string, catalogue: Catalogue, now: Date): Release | undefined {
  const debian = catalogue.releases.filter(
    ({distribution, version}) => distribution === 'debian' && version !== undefined,
  )
  const stable = debian.findLastIndex((release) => isReleased(release, now))
  switch (word) {
    case 'ubuntu':
      return newestLts(catalogue, now)
    case 'debian':
    case 'stable':
      return debian[stable]
    case 'oldstable':
      return debian[stable - 1]
    case 'oldoldstable':
      return debian[stable - 2]
    case 'testing':
      return debian[stable + 1]
    case 'unstable':
      return catalogue.releases.find(({codename}) => codename === 'sid')
    default:
      return undefined
  }
}

function newestTable(distribution: CataloguedDistribution, folders: readonly string[]): readonly Release[] {
  const file = `${distribution}.csv`
  const name = templatePath(`catalog/${file}`)
  let newest: readonly Release[] = parseDistroInfo(readFileSync(name, 'utf8'), {distribution, name})
  for (const folder of folders) newest = readNewer(join(folder, file), distribution, newest) ?? newest
  return newest
}

/** @returns undefined for a table that tells of no more releases, or can't be read. */
function readNewer(
  path: string,
  distribution: CataloguedDistribution,
  known: readonly Release[],
): readonly Release[] | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    // Its first line names the columns. The host's table is mostly the one that is built in.
    if (text.trimEnd().split('\n').length - 1 <= known.length) return undefined
    const other = parseDistroInfo(text, {distribution, name: path})
    return other.length > known.length ? other : undefined
  } catch (error) {
    if (error instanceof MalformedListingError || isErrno(error)) return undefined
    throw error
  }
}
