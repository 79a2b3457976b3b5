import {readFileSync, statSync} from 'node:fs'

/** `keep`: owners of the archive, for root of a user namespace. `caller`: the caller owns all files. */
export type OwnerRule = 'keep' | 'caller'

export type SquashedOwners = {readonly count: number; readonly ids: readonly number[]}

export type Owners = {
  /** Returns the owner to set, with unmapped ids replaced; undefined if a new file has it already. */
  ownerFor(ids: Ids): Ids | undefined
  /** Returns whether a file gets another owner than this one. */
  loses(ids: Ids): boolean
  squashed(): SquashedOwners
}

type Ids = {readonly uid: number; readonly gid: number}

type IdRange = {readonly first: number; readonly count: number}

/**
 * The kernel's overflow id, which stands for unmapped ids in every namespace; /proc/sys/kernel/overflowuid.
 */
const NOBODY = 65534
/** Enough to see a pattern; an archive may contain millions. */
const MOST_IDS_NAMED = 16

/**
 * Decides owners by the id maps of this process: chown(2) fails with EINVAL for an unmapped id.
 *
 * @param born - The owner of new files; if left out, every owner is set.
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
 * Returns the owner of new files in `root`: root, who creates them, owns most files of an archive.
 *
 * @returns Undefined if that is uncertain: the folder may pass on its group. @see inode(7), "S_ISGID"
 */
export function ownerOfNewFiles(root: string): Ids | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()]
  if (uid === undefined || gid === undefined || statSync(root).gid !== gid) return undefined
  return {uid, gid}
}

/** In the guest, root owns the caller's files. */
const CALLER_OWNS_ALL: Owners = {
  ownerFor: () => undefined,
  loses: ({uid, gid}) => uid !== 0 || gid !== 0,
  squashed: () => ({count: 0, ids: []}),
}

/** Parses lines of `INSIDE OUTSIDE COUNT`. @throws {Error} On any other line: the kernel writes this file. */
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
