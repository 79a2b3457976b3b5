import type {DebArchitecture} from '../host/architecture.js'
import type {ArchiveContext} from './context.js'
import {type HostMirrors, hostMirrors} from './host-mirrors.js'
import type {ArchiveRelease} from './plan.js'
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
