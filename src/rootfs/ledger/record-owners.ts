import {lstatSync, type Stats} from 'node:fs'
import {type FolderHandle, openFolder} from '../tree/folder-handle.js'
import type {LedgerEntry} from './entry.js'
import type {LedgerRecord} from './file.js'
import {type Ledger, openLedger} from './ledger.js'
import {kindOf} from './restore.js'

/** Each level holds a descriptor open; no real tree is this deep. */
const MOST_LEVELS = 512

/**
 * Makes the journal for a copy with one owner: every file of the tree that root does not own, and the entries
 * of the tree's own journal. Runs as root of a user namespace; follows no link.
 *
 * @param former - The tree's own journal.
 * @throws {NodeJS.ErrnoException}
 */
export function recordOwners(root: string, former: LedgerRecord): Ledger {
  const ledger = openLedger()
  const known = new Map(former.entries.map((entry) => [entry.path, entry]))
  for (const entry of former.entries) if (!entry.lost.includes('owner')) ledger.note(entry)
  record('', root, 0)
  return ledger

  function record(path: string, place: string | Buffer, level: number): void {
    const folder = openFolder(place)
    try {
      noteOwner(path, folder.status)
      if (level < MOST_LEVELS) recordEntries(path, folder, level)
    } finally {
      folder.close()
    }
  }

  function recordEntries(parent: string, folder: FolderHandle, level: number): void {
    for (const {name} of folder.list()) {
      const path = parent === '' ? name.toString('latin1') : `${parent}/${name.toString('latin1')}`
      const place = folder.entry(name)
      const status = lstatSync(place)
      if (status.isDirectory()) record(path, place, level + 1)
      else noteOwner(path, status)
    }
  }

  function noteOwner(path: string, status: Stats): void {
    const kind = kindOf(status)
    const {uid, gid} = status
    if (kind === undefined || (uid === 0 && gid === 0)) return
    const before = known.get(path)
    const isSame = before?.kind === kind
    if (isSame && before.lost.includes('owner')) ledger.note(before)
    else
      ledger.note(entryFor(path, {kind, uid, gid, mode: status.mode & 0o7777}, isSame ? before : undefined))
  }
}

function entryFor(
  path: string,
  is: Pick<LedgerEntry, 'kind' | 'uid' | 'gid' | 'mode'>,
  before: LedgerEntry | undefined,
): LedgerEntry {
  const {capability, lost = []} = before ?? {}
  return {path, ...is, ...(capability === undefined ? {} : {capability}), lost: ['owner', ...lost]}
}
