import type {TreeView} from '../fixes/tree-view.js'

/** A file that scripts of Debian's base give to a group, with the group's name and the mode. */
const OWNED: readonly (readonly [path: string, group: string, mode: number])[] = [
  ['etc/gshadow', 'shadow', 0o640],
  ['etc/shadow', 'shadow', 0o640],
  ['usr/local', 'staff', 0o2775],
  ['var/local', 'staff', 0o2775],
  ['var/log/btmp', 'utmp', 0o660],
  ['var/log/lastlog', 'utmp', 0o664],
  ['var/log/wtmp', 'utmp', 0o664],
  ['var/mail', 'mail', 0o2775],
]

const GROUP = /^(?<name>[^:]+):[^:]*:(?<gid>\d{1,9}):/gm

export type KnownOwner = {readonly uid: number; readonly gid: number}

/**
 * Owners that base-files, passwd and similar packages set when they are configured, for trees where such
 * changes have no effect: for groups that the tree has.
 *
 * @returns The owner of a path with these permissions; undefined for root, and for unknown paths.
 */
export function openKnownOwners(tree: TreeView): (path: string, mode: number) => KnownOwner | undefined {
  const text = tree.read('etc/group')?.toString('latin1') ?? ''
  const groups = new Map(
    [...text.matchAll(GROUP)].map(({groups: line}) => [line?.['name'], Number(line?.['gid'])]),
  )
  return (path, mode) => {
    const [, group] = OWNED.find((owned) => owned[0] === path && owned[2] === mode) ?? []
    const gid = groups.get(group)
    return gid === undefined ? undefined : {uid: 0, gid}
  }
}
