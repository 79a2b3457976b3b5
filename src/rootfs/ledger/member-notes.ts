import type {Member} from '../tar/member.js'
import type {Owners} from '../tree/owners.js'
import type {LedgerEntry, Loss} from './entry.js'
import type {Ledger} from './ledger.js'

/** Callbacks for members of an archive, called as they are written. */
export type MemberNotes = {
  /** A member was written; `lacks` is missing metadata, besides the owner. */
  written(path: string, member: Exclude<Member, {kind: 'hardlink'}>, lacks?: Loss): void
  /** A hard link was made, which may outlive the first name. */
  linked(path: string, target: string): void
  /** The entry at the path was removed. */
  gone(path: string): void
}

/** Records missing metadata of members in the journal. */
export function openMemberNotes(ledger: Ledger, owners: Owners): MemberNotes {
  return {
    written(path, member, lacks) {
      const losesOwner = owners.loses(member)
      if (!losesOwner && lacks === undefined) return
      const lost: Loss[] = losesOwner ? ['owner'] : []
      if (lacks !== undefined) lost.push(lacks)
      ledger.note({...entryOf(path, member), lost})
    },
    linked(path, target) {
      ledger.forget(path)
      const entry = ledger.get(target)
      if (entry !== undefined) ledger.note({...entry, path})
    },
    gone: ledger.forget,
  }
}

function entryOf(path: string, member: Exclude<Member, {kind: 'hardlink'}>): Omit<LedgerEntry, 'lost'> {
  const {kind, uid, gid, mode} = member
  const entry = {path, kind, uid, gid, mode}
  if (kind === 'device') return {...entry, device: member.device}
  if (kind !== 'file' || member.capability === undefined) return entry
  return {...entry, capability: member.capability.toString('base64')}
}
