import type {LedgerEntry} from '../ledger/entry.js'
import type {Member} from '../tar/member.js'
import {isCapability} from '../tree/file-capability.js'
import type {OwnerRule, Owners} from '../tree/owners.js'

/** What a file of a tree is to everybody but the tree's own identity. */
export type TrueOwners = {
  /** The member with its owner and capabilities. @param path - Below the root, without slashes around it. */
  correct(member: Member, path: string): Member
}

type Known = {
  readonly entries: ReadonlyMap<string, LedgerEntry>
  /** Of dpkg's overrides, by the place they really have. */
  readonly overrides: ReadonlyMap<string, {readonly uid: number; readonly gid: number}>
  /** How the tree's owners came to be: `caller`, all of them are one. */
  readonly rule: OwnerRule
  /** Of the namespace that the tree's owners are read in. */
  readonly owners: Pick<Owners, 'ownerFor'>
}

/** The largest id; the one above stands for none. @see chown(2) */
const MOST_ID = 2 ** 32 - 2
const ROOT = {uid: 0, gid: 0}

/**
 * Gives members of a tree the owners that its image, and dpkg, have for them, as far as the tree itself can't have them;
 * and capabilities that hold under any root.
 */
export function openTrueOwners({entries, overrides, rule, owners}: Known): TrueOwners {
  function ownerOf(member: Member, path: string): {uid: number; gid: number} {
    const entry = entryFor(member, path)
    if (rule === 'keep') return entry !== undefined && wasSquashed(member, entry) ? entry : member
    const overridden = member.kind === 'symlink' || member.kind === 'fifo' ? undefined : overrides.get(path)
    return overridden ?? entry ?? ROOT
  }

  /** The entry of a file that may be another by now, but is of the same kind. */
  function entryFor(member: Member, path: string): LedgerEntry | undefined {
    const entry = entries.get(path)
    if (entry === undefined || !entry.lost.includes('owner') || !isSameKind(member, entry)) return undefined
    return isId(entry.uid) && isId(entry.gid) ? entry : undefined
  }

  /** Whether a file still has the owner it was given in place of one that could not be had. */
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

/** A hard link is of the kind of its target, which a ledger never has a folder or device for. */
function isSameKind(member: Member, {kind}: LedgerEntry): boolean {
  if (member.kind === 'hardlink') return kind !== 'folder' && kind !== 'device'
  return member.kind === kind
}

function capabilityOf(present: Buffer | undefined, entry: LedgerEntry | undefined): Buffer | undefined {
  const lost = entry?.kind === 'file' && entry.lost.includes('capability') ? entry.capability : undefined
  const value = present ?? (lost === undefined ? undefined : Buffer.from(lost, 'base64'))
  return value !== undefined && isCapability(value) ? anyRoots(value) : undefined
}

/** Without the root of one user namespace that revision 3 adds. @see linux/capability.h: vfs_cap_data */
function anyRoots(value: Buffer): Buffer {
  const plain = Buffer.from(value.subarray(0, 20))
  plain[3] = 2
  return plain
}

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= MOST_ID
}
