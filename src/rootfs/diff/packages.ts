import {type PresentPackage, parseDpkgStatus} from '../../apt/format/control.js'
import {compareVersions} from '../../apt/format/version.js'
import {MOST_STATUS_BYTES} from '../installed-packages.js'
import {isOfOneMachine} from '../machine-files.js'
import {type Group, parseGroups, parseUsers, type User} from './accounts.js'
import type {MergedTree} from './merged.js'
import type {Change} from './stacks.js'

export type PackageVersion = Pick<PresentPackage, 'name' | 'architecture' | 'version' | 'state'>

export type PackageMove = {
  readonly name: string
  readonly architecture: string
  readonly from: string
  readonly to: string
}

export type PackageChanges = {
  readonly added: readonly PackageVersion[]
  readonly removed: readonly PackageVersion[]
  readonly upgraded: readonly PackageMove[]
  readonly downgraded: readonly PackageMove[]
}

type Packages = ReadonlyMap<string, PresentPackage>

/** Returns each list ordered by name. */
export function comparePackages(before: Packages, after: Packages): PackageChanges {
  const moves = [...after].flatMap(([key, {name, architecture, version}]) => {
    const from = before.get(key)?.version
    return from === undefined || from === version ? [] : [{name, architecture, from, to: version}]
  })
  return {
    added: onlyIn(after, before),
    removed: onlyIn(before, after),
    upgraded: byName(moves.filter(({from, to}) => compareVersions(from, to) < 0)),
    downgraded: byName(moves.filter(({from, to}) => compareVersions(from, to) >= 0)),
  }
}

function onlyIn(these: Packages, those: Packages): PackageVersion[] {
  const only = [...these].filter(([key]) => !those.has(key))
  return byName(
    only.map(([, {name, architecture, version, state}]) => ({name, architecture, version, state})),
  )
}

function byName<T extends {readonly name: string; readonly architecture: string}>(packages: T[]): T[] {
  // Names contain no space, which sorts before all characters of names.
  const key = ({name, architecture}: T) => `${name} ${architecture}`
  return packages.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

const INFO = 'var/lib/dpkg/info'
/** The largest real ones have some MB. */
const MOST_LIST_BYTES = 16 * 2 ** 20
const MOST_DIVERSIONS_BYTES = 4 * 2 ** 20
/** Of all lists together: ten times those of a large desktop. */
const MOST_BYTES = 512 * 2 ** 20

/** Former folders that are links into /usr now; package lists still name files by them. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const

/** Returns the real path for a path of a package's list or conffiles: byte strings relative to the root. */
export type Relocation = (path: string) => string

/** Follows only the links of a merged /usr. @see file-hierarchy(7) */
export function mergedUsr(tree: MergedTree): Relocation {
  const moved = new Map<string, string>(
    MERGED.flatMap((name) => (isLinkIntoUsr(tree, name) ? [[name, `usr/${name}`] as const] : [])),
  )
  return (path) => {
    const slash = path.indexOf('/')
    const first = slash === -1 ? path : path.slice(0, slash)
    const target = moved.get(first)
    return target === undefined ? path : target + path.slice(first.length)
  }
}

function isLinkIntoUsr(tree: MergedTree, name: string): boolean {
  const target = tree.inFolder('', (root) => root.linkTarget(name))
  return target === `usr/${name}` || target === `/usr/${name}`
}

export type OwnerQuery = {
  /** Byte strings relative to the root. */
  readonly wanted: ReadonlySet<string>
  readonly relocate: Relocation
  /** Paths of the lists to read; all if left out. */
  readonly only?: ReadonlySet<string>
}

/**
 * Returns the package of each path, by dpkg's lists of files; for a folder of several packages, one of them.
 *
 * @see dpkg-query(1), --search; dpkg-divert(1)
 */
export function findOwners(tree: MergedTree, {wanted, relocate, only}: OwnerQuery): Map<string, string> {
  const owners = new Map<string, string>()
  const diversions = parseDiversions(
    tree.read('var/lib/dpkg/diversions', {maxBytes: MOST_DIVERSIONS_BYTES})?.toString('latin1') ?? '',
  )
  let left = MOST_BYTES
  tree.inFolder(INFO, (folder) => {
    for (const file of folder.names()) {
      const name = /^(?<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\.list$/.exec(file)?.groups?.['name']
      if (name === undefined || left <= 0 || only?.has(`${INFO}/${file}`) === false) continue
      const list = folder.read(file, {maxBytes: Math.min(left, MOST_LIST_BYTES)})
      left -= list?.length ?? 0
      for (const line of list?.toString('latin1').split('\n') ?? []) note(name, line)
    }
  })
  return owners

  function note(name: string, line: string): void {
    if (!line.startsWith('/')) return
    const diversion = diversions.get(line)
    const place = diversion === undefined || diversion.by === name ? line : diversion.to
    const path = relocate(place.slice(1))
    if (wanted.has(path)) owners.set(path, name)
  }
}

/** A file of a package under another path, because another package, or the administrator, has its place. */
export type Diversion = {
  readonly to: string
  /** The package that has the place; `:` for the administrator. */
  readonly by: string
}

/**
 * Returns diversions by the path in the package; paths are absolute byte strings.
 *
 * @param text - /var/lib/dpkg/diversions: three lines for each.
 * @see dpkg-divert(1)
 */
export function parseDiversions(text: string): Map<string, Diversion> {
  const lines = text.split('\n')
  const diversions = new Map<string, Diversion>()
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [from, to, by] = lines.slice(at, at + 3)
    if (from === undefined || to === undefined || by === undefined || by === '') continue
    if (from.startsWith('/') && to.startsWith('/')) diversions.set(from, {to, by})
  }
  return diversions
}

/** A file that envs writes into each environment: the parts around the environment's own values. */
export type OwnFile = {
  /** Byte string (latin1) relative to the root. */
  readonly path: string
  /** Byte strings (latin1). */
  readonly parts: readonly string[]
}

/** Names of environments and machine ids are shorter. */
const MOST_OWN_BYTES = 64
export const MOST_OWN_FILE_BYTES = 64 * 1024

/** Returns whether a file is as envs writes it, for any values of the environment. */
export function isAsWritten(content: Buffer, {parts}: OwnFile): boolean {
  const slot = `[A-Za-z0-9_.-]{1,${MOST_OWN_BYTES}}`
  const pattern = new RegExp(`^${parts.map(escapeRegExp).join(slot)}$`)
  return pattern.test(content.toString('latin1'))
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The program that becomes a user in `emulated`; see templates/rootfs/lay-shims. */
export const BECOME = '/usr/lib/envs/become'
export const SUFFIX = '.distrib'

/** Returns the paths of programs that envs replaced between two points, and of the originals. */
export function replacedPrograms(changes: readonly Pick<Change, 'path' | 'before' | 'after'>[]): Set<string> {
  return new Set(
    changes
      .filter(({before, after}) => before?.target === BECOME || after?.target === BECOME)
      .flatMap(({path}) => [path, path + SUFFIX]),
  )
}

/** Returns the paths of keys that an environment makes at its first start. */
export function filesOfOneMachine(changes: readonly Pick<Change, 'path' | 'before' | 'after'>[]): string[] {
  return changes
    .filter(({path, before, after}) => isOfOneMachine(path, (after ?? before)?.target))
    .map(({path}) => path)
}

const MOST_ACCOUNTS_BYTES = 4 * 2 ** 20

/** Returns packages by name and architecture; undefined if dpkg has no list. */
export function readPackages(tree: MergedTree): Map<string, PresentPackage> | undefined {
  const status = tree.read('var/lib/dpkg/status', {maxBytes: MOST_STATUS_BYTES})
  return status === undefined ? undefined : parseDpkgStatus(status.toString('latin1'))
}

export function readAccounts(tree: MergedTree): {users: Map<string, User>; groups: Map<string, Group>} {
  const text = (path: string) => tree.read(path, {maxBytes: MOST_ACCOUNTS_BYTES})?.toString() ?? ''
  return {
    users: parseUsers(text('etc/passwd'), text('etc/shadow')),
    groups: parseGroups(text('etc/group')),
  }
}
