import {chmodSync, lchownSync, utimesSync} from 'node:fs'
import type {Timestamp} from '../tar/member.js'
import {modificationTime} from './modification-time.js'
import type {Owners} from './owners.js'

/** Metadata that a folder gets after its entries. */
export type FolderMetadata = {
  readonly mode: number
  /** Undefined for a folder that is not itself a member of the archive. */
  readonly named?: {readonly uid: number; readonly gid: number; readonly modified: Timestamp}
}

/** A folder that exists only as the parent of members. */
export const UNNAMED_FOLDER: FolderMetadata = {mode: 0o755}

/**
 * Sets owner, mode and time of folders, children before parents: a later entry would change the time, and a
 * closed parent would block its children.
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
