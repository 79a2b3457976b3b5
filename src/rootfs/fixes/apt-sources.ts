import {
  type AptSource,
  type AptSourceFormat,
  aptSourceFormat,
  isAptSourceFile,
  MOST_SOURCE_FILES,
} from '../../apt/format/sources.js'
import type {TreeView} from './tree-view.js'

type SourceUri = Pick<AptSource, 'uri' | 'suites'>

/** Mirrors of the packages; undefined keeps those of the image. */
export type ArchiveFacts = {
  /** URL of an APT repository, without a slash at its end. */
  readonly ubuntuMirror: string | undefined
  readonly debianMirror: string | undefined
  /** Codenames of Ubuntu releases that its main repository no longer has. */
  readonly movedSuites: readonly string[]
}

/** Changes no source. */
export const NO_ARCHIVES: ArchiveFacts = {ubuntuMirror: undefined, debianMirror: undefined, movedSuites: []}

/** All pockets and architectures in one tree. @see https://wiki.ubuntu.com/EndOfLifeProcess */
const OLD_RELEASES = 'http://old-releases.ubuntu.com/ubuntu'

/**
 * Servers of each distribution, with its country and cloud mirrors; -security belongs to Ubuntu's repository.
 */
const PUBLISHERS = {
  ubuntu: {hosts: /(?:^|\.)(?:archive|security|ports)\.ubuntu\.com$/, paths: ['/ubuntu', '/ubuntu-ports']},
  // Debian's -security is a separate repository, which a mirror of the main one does not have.
  debian: {
    hosts:
      /(?:^|\.)deb\.debian\.org$|^(?:ftp|http)\d?(?:\.[a-z]{2})?\.debian\.org$|^httpredir\.debian\.org$|^http\.debian\.net$/,
    paths: ['/debian'],
  },
} as const

/**
 * Returns the URI that replaces a source's own; undefined for a source that stays, as all third-party sources
 * do.
 *
 * A moved suite uses old-releases in preference to any mirror: mirrors lose it as well.
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

/** Returns the moved codenames whose packages a source takes from old-releases. */
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

type SourceFile = {
  readonly path: string
  readonly format: AptSourceFormat
  /** A byte string (latin1). */
  readonly text: string
  readonly mode: number
}

const FOLDER = 'etc/apt/sources.list.d'

/** Returns the files of APT sources in a tree. Skips links, FIFOs and files that are too large. */
export function readSourceFiles(tree: TreeView): SourceFile[] {
  const parts = tree.list(FOLDER).filter(isAptSourceFile)
  const paths = parts.slice(0, MOST_SOURCE_FILES).map((name) => `${FOLDER}/${name}`)
  return ['etc/apt/sources.list', ...paths].flatMap((path) => {
    const file = tree.readWhole(path)
    if (file === undefined) return []
    return [{path, format: aptSourceFormat(path), text: file.content.toString('latin1'), mode: file.mode}]
  })
}
