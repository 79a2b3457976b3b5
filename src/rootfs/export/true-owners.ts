import type {LedgerEntry} from '../ledger/entry.js'
import type {Member} from '../tar/member.js'
import {isCapability} from '../tree/file-capability.js'
import type {OwnerRule, Owners} from '../tree/owners.js'

/** Restores the metadata that a tree would have outside of its identity. */
export type TrueOwners = {
  /**
   * Returns the member with its owner and capabilities. @param path - Relative to the root, without slashes
   * around it.
   */
  correct(member: Member, path: string): Member
}

type Known = {
  readonly entries: ReadonlyMap<string, LedgerEntry>
  /** dpkg's overrides, by real path. */
  readonly overrides: ReadonlyMap<string, {readonly uid: number; readonly gid: number}>
  /** How owners of the tree were set: with `caller`, all are the same. */
  readonly rule: OwnerRule
  /** Owners in the user namespace that reads the tree. */
  readonly owners: Pick<Owners, 'ownerFor'>
}

/** The largest id; the next one means "unchanged". @see chown(2) */
const MOST_ID = 2 ** 32 - 2
const ROOT = {uid: 0, gid: 0}

/**
 * Gives members of a tree the owners of its image and of dpkg, where the tree itself could not have them; and
 * capabilities that are valid for any root.
 */
export function openTrueOwners({entries, overrides, rule, owners}: Known): TrueOwners {
  function ownerOf(member: Member, path: string): {uid: number; gid: number} {
    const entry = entryFor(member, path)
    if (rule === 'keep') return entry !== undefined && wasSquashed(member, entry) ? entry : member
    const overridden = member.kind === 'symlink' || member.kind === 'fifo' ? undefined : overrides.get(path)
    return overridden ?? entry ?? ROOT
  }

  /** Returns the journal entry of a path, if the file is still of the same kind. */
  function entryFor(member: Member, path: string): LedgerEntry | undefined {
    const entry = entries.get(path)
    if (entry === undefined || !entry.lost.includes('owner') || !isSameKind(member, entry)) return undefined
    return isId(entry.uid) && isId(entry.gid) ? entry : undefined
  }

  /** Returns whether a file still has the owner that replaced an unavailable one. */
  function wasSquashed(member: Member, entry: LedgerEntry): boolean {
    const given = owners.ownerFor(entry)
    return given?.uid === member.uid && given.gid === member.gid
  }

  return {
    correct(member, path) {
      const {uid, gid} = ownerOf(member, path)
      if (member.kind !== 'file') return {...member, uid, gid}
      const capability = capabilityOf(member.capability, entries.get(path))
      return {...member, uid, gid, capability}
    },
  }
}

/** A hard link has the kind of its target, which is never a folder or device in a journal. */
function isSameKind(member: Member, {kind}: LedgerEntry): boolean {
  if (member.kind === 'hardlink') return kind !== 'folder' && kind !== 'device'
  return member.kind === kind
}

function capabilityOf(present: Buffer | undefined, entry: LedgerEntry | undefined): Buffer | undefined {
  const lost = entry?.kind === 'file' && entry.lost.includes('capability') ? entry.capability : undefined
  const value = present ?? (lost === undefined ? undefined : Buffer.from(lost, 'base64'))
  return value !== undefined && isCapability(value) ? anyRoots(value) : undefined
}

/** Removes the root of a user namespace, which revision 3 adds. @see linux/capability.h: vfs_cap_data */
function anyRoots(value: Buffer): Buffer {
  const plain = Buffer.from(value.subarray(0, 20))
  plain[3] = 2
  return plain
}

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= MOST_ID
}
