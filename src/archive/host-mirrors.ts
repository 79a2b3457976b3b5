import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {
  type AptSource,
  aptSourceFormat,
  givesPackages,
  isAptSourceFile,
  MOST_SOURCE_FILES,
} from '../debian/apt-sources.js'
import {ignoring} from '../host/errno.js'
import {readOsRelease} from '../host/os-release.js'
import type {ArchiveDistribution} from './plan.js'

/** Where the host's own APT gets its packages; URLs without a slash at their end. */
export type HostMirrors = {readonly main: string | undefined; readonly security: string | undefined}

const NONE: HostMirrors = {main: undefined, security: undefined}

const MOST_BYTES = 2 ** 20

/**
 * The mirrors that the host's administrator chose for its own distribution; none where the host is another one.
 *
 * @param folder - /etc/apt.
 */
export async function hostMirrors(distribution: ArchiveDistribution, folder: string): Promise<HostMirrors> {
  const {id} = await readOsRelease()
  if (id !== distribution) return NONE
  return chooseMirrors(distribution, await readSources(folder))
}

/** Which of APT's sources are the distribution's own. */
export function chooseMirrors(distribution: ArchiveDistribution, sources: readonly AptSource[]): HostMirrors {
  const reachable = sources.filter(({uri}) => /^https?:\/\/\S+$/i.test(uri) && URL.canParse(uri))
  const own = reachable.filter((source) => isOfDistribution(distribution, source))
  const main = own.find((source) => !isSecurity(source))
  const security = own.find(isSecurity)
  return {main: withoutSlash(main?.uri), security: withoutSlash(security?.uri)}
}

function isSecurity({uri, suites}: AptSource): boolean {
  // Both in one entry: an archive that holds security too, as Ubuntu's does.
  if (suites.every((suite) => /-security$|\/updates$/.test(suite))) return true
  return /^(?:security\.ubuntu\.com|security\.debian\.org)$/.test(new URL(uri).hostname)
}

/**
 * Vendors name their folders and suites after the distribution's. Its own archive is the one whose keys are the
 * distribution's, or that has its name and its component `main`.
 */
function isOfDistribution(
  distribution: ArchiveDistribution,
  {uri, components, signedBy}: AptSource,
): boolean {
  if (signedBy !== undefined) return signedBy.includes(`/${distribution}-archive-keyring.`)
  const last = new URL(uri).pathname.replace(/\/+$/, '').split('/').at(-1) ?? ''
  const names = distribution === 'debian' ? ['debian', 'debian-security'] : ['ubuntu', 'ubuntu-ports']
  return names.includes(last) && components.includes('main')
}

function withoutSlash(uri: string | undefined): string | undefined {
  return uri?.replace(/\/+$/, '')
}

async function readSources(folder: string): Promise<AptSource[]> {
  const parts = join(folder, 'sources.list.d')
  const names = ((await readdir(parts).catch(ignoring())) ?? []).filter(isAptSourceFile).sort()
  const paths = [
    join(folder, 'sources.list'),
    ...names.slice(0, MOST_SOURCE_FILES).map((name) => join(parts, name)),
  ]
  const found = await Promise.all(paths.map(readFileOf))
  return found.flat()
}

async function readFileOf(path: string): Promise<AptSource[]> {
  // What may not be read is no source of this user's.
  const bytes = await readFile(path).catch(ignoring())
  if (bytes === undefined || bytes.length > MOST_BYTES) return []
  return aptSourceFormat(path).find(bytes.toString('latin1')).filter(givesPackages)
}
