import type {AptSource} from '../../debian/apt-sources.js'

type SourceUri = Pick<AptSource, 'uri' | 'suites'>

/** Where packages shall come from; undefined leaves it to the image. */
export type ArchiveFacts = {
  /** URL of a package archive, without a slash at its end. */
  readonly ubuntuMirror: string | undefined
  readonly debianMirror: string | undefined
  /** Codenames of Ubuntu that its archive no longer holds. */
  readonly movedSuites: readonly string[]
}

/** Leaves every source as it is. */
export const NO_ARCHIVES: ArchiveFacts = {ubuntuMirror: undefined, debianMirror: undefined, movedSuites: []}

/** All pockets and architectures in one tree. @see https://wiki.ubuntu.com/EndOfLifeProcess */
const OLD_RELEASES = 'http://old-releases.ubuntu.com/ubuntu'

/** Where each distribution itself publishes, with its country and cloud mirrors; -security is Ubuntu's own. */
const PUBLISHERS = {
  ubuntu: {hosts: /(?:^|\.)(?:archive|security|ports)\.ubuntu\.com$/, paths: ['/ubuntu', '/ubuntu-ports']},
  // Debian's -security is an archive of its own, which a mirror of the other does not hold.
  debian: {
    hosts:
      /(?:^|\.)deb\.debian\.org$|^(?:ftp|http)\d?(?:\.[a-z]{2})?\.debian\.org$|^httpredir\.debian\.org$|^http\.debian\.net$/,
    paths: ['/debian'],
  },
} as const

/**
 * The URI that a source shall have instead of its own; undefined when it shall keep it, as all of others do.
 *
 * A suite that moved goes to the old releases before any mirror: mirrors of the archive lose it as well.
 */
export function replacementFor({uri, suites}: SourceUri, archives: ArchiveFacts): string | undefined {
  const publisher = publisherOf(uri)
  if (publisher === undefined) return undefined
  const replacement =
    publisher === 'debian'
      ? archives.debianMirror
      : suites.every((suite) => archives.movedSuites.includes(codenameOf(suite)))
        ? OLD_RELEASES
        : archives.ubuntuMirror
  if (replacement === undefined) return undefined
  const written = uri.endsWith('/') ? `${replacement}/` : replacement
  return written === uri ? undefined : written
}

/** Codenames, of those that moved, whose packages a source takes from the old releases. */
export function archivedSuites({uri, suites}: SourceUri, {movedSuites}: ArchiveFacts): string[] {
  if (uri.replace(/\/+$/, '') !== OLD_RELEASES) return []
  return suites.map(codenameOf).filter((codename) => movedSuites.includes(codename))
}

function publisherOf(uri: string): keyof typeof PUBLISHERS | undefined {
  if (!URL.canParse(uri)) return undefined
  const {protocol, hostname, port, username, pathname, search, hash} = new URL(uri)
  if (!/^https?:$/.test(protocol) || `${port}${username}${search}${hash}` !== '') return undefined
  const path = pathname.replace(/\/+$/, '')
  const publishes = ({hosts, paths}: {hosts: RegExp; paths: readonly string[]}) =>
    hosts.test(hostname) && paths.includes(path)
  return publishes(PUBLISHERS.ubuntu) ? 'ubuntu' : publishes(PUBLISHERS.debian) ? 'debian' : undefined
}

/** `noble` of `noble-updates`. */
function codenameOf(suite: string): string {
  return suite.replace(/-.*$/, '')
}
