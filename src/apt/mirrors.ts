import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {DebArchitecture} from '../host/arch.js'
import {ignoring} from '../host/errno.js'
import {readOsRelease} from '../host/os-release.js'
import type {ArchiveContext, ArchiveDistribution, ArchiveRelease} from './context.js'
import {
  type AptSource,
  aptSourceFormat,
  givesPackages,
  isAptSourceFile,
  MOST_SOURCE_FILES,
} from './format/sources.js'
import {type Pocket, pocketsOf} from './pockets.js'

/** A pocket, and the URLs of the archives that may have it, without a slash at their end, the best one first. */
export type PlacedPocket = Pocket & {readonly mirrors: readonly string[]}

/** http: signatures are what counts, and many networks have a cache for it. */
const DEBIAN = 'http://ftp.debian.org/debian'
const DEBIAN_SECURITY = 'http://security.debian.org/debian-security'
const DEBIAN_MOVED = 'http://archive.debian.org/debian'
const DEBIAN_SECURITY_MOVED = 'http://archive.debian.org/debian-security'

const UBUNTU = 'http://archive.ubuntu.com/ubuntu'
const UBUNTU_PORTS = 'http://ports.ubuntu.com/ubuntu-ports'
/** All architectures in one tree. @see https://wiki.ubuntu.com/EndOfLifeProcess */
const UBUNTU_MOVED = 'http://old-releases.ubuntu.com/ubuntu'

/**
 * Where the pockets of a release are: the user's mirror, else the one of the host's own APT and then the publisher.
 * A mirror that does not have a suite is passed over for the next.
 */
export async function resolveSuite(
  release: ArchiveRelease,
  architecture: DebArchitecture,
  {mirrors, aptFolder = '/etc/apt'}: Pick<ArchiveContext, 'mirrors' | 'aptFolder'>,
): Promise<PlacedPocket[]> {
  const ofHost = await hostMirrors(release.distribution, aptFolder)
  const place = release.distribution === 'debian' ? debianMirrors : ubuntuMirrors
  return pocketsOf(release).map((pocket) => ({
    ...pocket,
    mirrors: unique(place(pocket, {release, architecture, mirrors, ofHost})),
  }))
}

type Facts = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly mirrors: ArchiveContext['mirrors']
  readonly ofHost: HostMirrors
}

function debianMirrors({archive}: Pocket, {release, mirrors, ofHost}: Facts): string[] {
  const [own, host, publisher, moved] =
    archive === 'main'
      ? [mirrors.debian, ofHost.main, DEBIAN, DEBIAN_MOVED]
      : [mirrors.debianSecurity, ofHost.security, DEBIAN_SECURITY, DEBIAN_SECURITY_MOVED]
  const usual = own === undefined ? [...present(host), publisher] : [own]
  return release.hasMoved ? [...usual, moved] : usual
}

/** Its archive has the pocket for security too, so all of a release comes of one state of one mirror. */
function ubuntuMirrors(_: Pocket, {release, architecture, mirrors, ofHost}: Facts): string[] {
  // Mirrors lose what moved, as the archive does; the user's own may be one of old releases.
  if (release.hasMoved) return [...present(mirrors.ubuntu), UBUNTU_MOVED]
  if (mirrors.ubuntu !== undefined) return [mirrors.ubuntu]
  return [...present(ofHost.main), ...ubuntuPublishers(release, architecture)]
}

/** From 25.10 on the archive has arm64; the ports have it too, and some older ones are in both. */
const FIRST_ARM64 = [25, 10]

function ubuntuPublishers({version}: ArchiveRelease, architecture: DebArchitecture): string[] {
  if (architecture === 'amd64' || architecture === 'i386') return [UBUNTU]
  if (architecture !== 'arm64') return [UBUNTU_PORTS]
  const [year = 0, month = 0] = (version ?? '').split('.').map(Number)
  const [firstYear = 0, firstMonth = 0] = FIRST_ARM64
  const isInArchive = year > firstYear || (year === firstYear && month >= firstMonth)
  return isInArchive ? [UBUNTU, UBUNTU_PORTS] : [UBUNTU_PORTS, UBUNTU]
}

function present(mirror: string | undefined): string[] {
  return mirror === undefined ? [] : [mirror]
}

function unique(mirrors: readonly string[]): string[] {
  return [...new Set(mirrors)]
}

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
