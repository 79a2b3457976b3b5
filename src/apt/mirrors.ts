import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoring} from '../host/errno.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {readOsRelease} from '../host/machine/os-release.js'
import type {ArchiveContext, ArchiveDistribution, ArchiveRelease} from './context.js'
import {
  type AptSource,
  aptSourceFormat,
  givesPackages,
  isAptSourceFile,
  MOST_SOURCE_FILES,
} from './format/sources.js'
import {type Pocket, pocketsOf} from './pockets.js'

/** A pocket, and the URLs of the repositories that may have it, best first, without a slash at their end. */
export type PlacedPocket = Pocket & {readonly mirrors: readonly string[]}

/** http suffices because the content is signed, and many networks cache it. */
const DEBIAN = 'http://ftp.debian.org/debian'
const DEBIAN_SECURITY = 'http://security.debian.org/debian-security'
const DEBIAN_MOVED = 'http://archive.debian.org/debian'
const DEBIAN_SECURITY_MOVED = 'http://archive.debian.org/debian-security'

const UBUNTU = 'http://archive.ubuntu.com/ubuntu'
const UBUNTU_PORTS = 'http://ports.ubuntu.com/ubuntu-ports'
/** All architectures in one tree. @see https://wiki.ubuntu.com/EndOfLifeProcess */
const UBUNTU_MOVED = 'http://old-releases.ubuntu.com/ubuntu'

/**
 * Returns the pockets of a release with their mirrors: the user's mirror, else the mirror of the host's APT and
 * then the publisher. A mirror without the suite is skipped.
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

type MirrorFacts = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly mirrors: ArchiveContext['mirrors']
  readonly ofHost: HostMirrors
}

function debianMirrors({archive}: Pocket, {release, mirrors, ofHost}: MirrorFacts): string[] {
  const [own, host, publisher, moved] =
    archive === 'main'
      ? [mirrors.debian, ofHost.main, DEBIAN, DEBIAN_MOVED]
      : [mirrors.debianSecurity, ofHost.security, DEBIAN_SECURITY, DEBIAN_SECURITY_MOVED]
  const usual = own === undefined ? [...present(host), publisher] : [own]
  return release.hasMoved ? [...usual, moved] : usual
}

/** Ubuntu's main repository also has the security pocket, so a release comes from one state of one mirror. */
function ubuntuMirrors(_: Pocket, {release, architecture, mirrors, ofHost}: MirrorFacts): string[] {
  // Mirrors drop moved releases, as the main repository does; the user's mirror may be one of old releases.
  if (release.hasMoved) return [...present(mirrors.ubuntu), UBUNTU_MOVED]
  if (mirrors.ubuntu !== undefined) return [mirrors.ubuntu]
  return [...present(ofHost.main), ...ubuntuPublishers(release, architecture)]
}

/** Since 25.10 the main repository has arm64; ports has it too, and some older releases are in both. */
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

/** Mirrors of the host's APT; URLs without a slash at their end. */
export type HostMirrors = {readonly main: string | undefined; readonly security: string | undefined}

const NONE: HostMirrors = {main: undefined, security: undefined}

const MOST_BYTES = 2 ** 20

/**
 * Returns the mirrors that the host's APT uses for its distribution; none if the host has another distribution.
 *
 * @param folder - /etc/apt.
 */
export async function hostMirrors(distribution: ArchiveDistribution, folder: string): Promise<HostMirrors> {
  const {id} = await readOsRelease()
  if (id !== distribution) return NONE
  return chooseMirrors(distribution, await readSources(folder))
}

/** Selects the sources of the distribution itself. */
export function chooseMirrors(distribution: ArchiveDistribution, sources: readonly AptSource[]): HostMirrors {
  const reachable = sources.filter(({uri}) => /^https?:\/\/\S+$/i.test(uri) && URL.canParse(uri))
  const own = reachable.filter((source) => isOfDistribution(distribution, source))
  const main = own.find((source) => !isSecurity(source))
  const security = own.find(isSecurity)
  return {main: withoutSlash(main?.uri), security: withoutSlash(security?.uri)}
}

function isSecurity({uri, suites}: AptSource): boolean {
  // Both suites in one entry: a repository that holds security too, as Ubuntu's does.
  if (suites.every((suite) => /-security$|\/updates$/.test(suite))) return true
  return /^(?:security\.ubuntu\.com|security\.debian\.org)$/.test(new URL(uri).hostname)
}

/**
 * Returns whether a source is the distribution's own: by its keyring, else by its folder name and the component
 * `main`. Vendors reuse the distribution's folder and suite names.
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
  const found = await Promise.all(paths.map(readSourceFile))
  return found.flat()
}

async function readSourceFile(path: string): Promise<AptSource[]> {
  // An unreadable file is ignored.
  const bytes = await readFile(path).catch(ignoring())
  if (bytes === undefined || bytes.length > MOST_BYTES) return []
  return aptSourceFormat(path).find(bytes.toString('latin1')).filter(givesPackages)
}
