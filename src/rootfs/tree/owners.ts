import {readFileSync, statSync} from 'node:fs'

/** `keep`: as the archive says, for root of a user namespace. `caller`: whoever runs this owns all. */
export type OwnerRule = 'keep' | 'caller'

export type SquashedOwners = {readonly count: number; readonly ids: readonly number[]}

export type Owners = {
  /** The owner to set, with ids the namespace does not map replaced; undefined where a new file has it already. */
  ownerFor(ids: Ids): Ids | undefined
  /** Whether a file gets another owner than this one. */
  loses(ids: Ids): boolean
  squashed(): SquashedOwners
}

type Ids = {readonly uid: number; readonly gid: number}

type IdRange = {readonly first: number; readonly count: number}

/** The kernel's overflow id, which stands for "somebody else" in every namespace; /proc/sys/kernel/overflowuid. */
const NOBODY = 65534
/** Enough to see a pattern; an archive may name millions. */
const MOST_IDS_NAMED = 16

/**
 * Decides owners by the id maps of this process: chown(2) answers EINVAL to an id without a mapping.
 *
 * @param born - Whose a new file is without chown(2); where it is not given every owner is set.
 * @see user_namespaces(7)
 */
export function openOwners(rule: OwnerRule, {born}: {readonly born?: Ids | undefined} = {}): Owners {
  if (rule === 'caller') return CALLER_OWNS_ALL
  const uids = parseIdMap(readFileSync('/proc/self/uid_map', 'latin1'))
  const gids = parseIdMap(readFileSync('/proc/self/gid_map', 'latin1'))
  const named = new Set<number>()
  let count = 0

  function mapped(id: number, ranges: readonly IdRange[]): number {
    if (isMapped(id, ranges)) return id
    if (named.size < MOST_IDS_NAMED) named.add(id)
    return isMapped(NOBODY, ranges) ? NOBODY : 0
  }

  return {
    ownerFor({uid, gid}) {
      const owner = {uid: mapped(uid, uids), gid: mapped(gid, gids)}
      if (owner.uid !== uid || owner.gid !== gid) count++
      return owner.uid === born?.uid && owner.gid === born.gid ? undefined : owner
    },
    loses: ({uid, gid}) => !isMapped(uid, uids) || !isMapped(gid, gids),
    squashed: () => ({count, ids: [...named].sort((a, b) => a - b)}),
  }
}

/**
 * Whose the files are that this process makes below `root`: most of an archive are root's, who makes them.
 *
 * @returns undefined where that is not sure: the folder may hand on a group of its own. @see inode(7), "S_ISGID"
 */
export function ownerOfNewFiles(root: string): Ids | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()]
  if (uid === undefined || gid === undefined || statSync(root).gid !== gid) return undefined
  return {uid, gid}
}

/** The caller's own files look like root's in the guest. */
const CALLER_OWNS_ALL: Owners = {
  ownerFor: () => undefined,
  loses: ({uid, gid}) => uid !== 0 || gid !== 0,
  squashed: () => ({count: 0, ids: []}),
}

/** Lines of `INSIDE OUTSIDE COUNT`. @throws {Error} On anything else: the kernel writes this file. */
export function parseIdMap(text: string): IdRange[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [first, , count] = line.trim().split(/\s+/).map(Number)
      if (first === undefined || count === undefined) throw new Error(`not a line of an id map: ${line}`)
      return {first, count}
    })
}

function isMapped(id: number, ranges: readonly IdRange[]): boolean {
  return ranges.some(({first, count}) => id >= first && id < first + count)
}
