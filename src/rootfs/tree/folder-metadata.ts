import {chmodSync, lchownSync, utimesSync} from 'node:fs'
import type {Timestamp} from '../tar/member.js'
import {modificationTime} from './modification-time.js'
import type {Owners} from './owners.js'

/** What a folder gets once nothing more is written in it. */
export type FolderMetadata = {
  readonly mode: number
  /** Undefined for a folder the archive has things in but does not name. */
  readonly named?: {readonly uid: number; readonly gid: number; readonly modified: Timestamp}
}

/** A folder that only the archive's members below it call for. */
export const UNNAMED_FOLDER: FolderMetadata = {mode: 0o755}

/**
 * Gives folders their owner, mode and time, children before parents: an entry made or a folder closed
 * behind one would change or block the other.
 */
export function applyFolderMetadata(
  folders: ReadonlyMap<string, FolderMetadata>,
  {absolute, owners}: {absolute: (path: string) => Buffer; owners: Owners},
): void {
  const deepestFirst = [...folders].sort(([a], [b]) => b.length - a.length)
  for (const [path, {mode, named}] of deepestFirst) {
    const place = absolute(path)
    const owner = owners.ownerFor(named ?? {uid: 0, gid: 0})
    if (owner !== undefined) lchownSync(place, owner.uid, owner.gid)
    chmodSync(place, mode)
    if (named !== undefined)
      utimesSync(place, modificationTime(named.modified), modificationTime(named.modified))
  }
}
