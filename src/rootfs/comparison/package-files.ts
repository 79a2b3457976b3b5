import {parseDiversions} from './diversions.js'
import type {MergedTree} from './merged-tree.js'

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
