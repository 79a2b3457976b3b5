import {chmodSync, closeSync, constants, lchownSync, openSync, type Stats} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import {openTreeView} from '../fixes/tree-view.js'
import type {CapabilitySetter} from '../tree/file-capability.js'
import type {Owners, SquashedOwners} from '../tree/owners.js'
import {PathRefusal} from '../tree/path-refusal.js'
import {lstatOrNothing, openRootedPaths, type RootedPaths} from '../tree/rooted-paths.js'
import type {LedgerEntry, LedgerKind, Loss} from './entry.js'
import type {LedgerRecord} from './file.js'
import {type Ledger, type LedgerCounts, openLedger} from './ledger.js'
import {readStatOverrides} from './stat-overrides.js'

export type RestoreReport = {
  /** Files that got the owner of the image, or of a package, again. */
  readonly restored: number
  readonly squashedOwners: SquashedOwners
  readonly losses: LedgerCounts
}

type Tools = {readonly owners: Owners; readonly setCapability: CapabilitySetter}

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Gives files of a tree that is not in use the owners of a journal and of dpkg's overrides, as root of a user
 * namespace.
 *
 * Skips files that were removed, or whose kind has changed. Permissions stay.
 *
 * @returns A report, and the journal of metadata that the tree still lacks.
 * @throws {NodeJS.ErrnoException}
 */
export function restoreOwners(
  root: string,
  {entries, dropped}: LedgerRecord,
  {owners, setCapability}: Tools,
): {report: RestoreReport; ledger: Ledger} {
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  const ledger = openLedger()
  let restored = 0
  for (const entry of entries) {
    if (entry.kind === 'device') {
      ledger.note({...entry, lost: ['device']})
      continue
    }
    const found = find(paths, entry.path)
    if (found === undefined || kindOf(found.status) !== entry.kind) continue
    if (entry.lost.includes('owner')) restored++
    const lost = restore(found, entry, {owners, setCapability})
    if (lost.length > 0) ledger.note({...entry, lost})
  }
  for (const {path, uid, gid, mode} of readStatOverrides(openTreeView(root))) {
    const found = find(paths, path)
    const isPlain = found !== undefined && ['file', 'folder'].includes(kindOf(found.status) ?? '')
    if (!isPlain) continue
    own(found.place, {uid, gid}, owners)
    chmodSync(found.place, mode)
    restored++
  }
  const losses = {...ledger.counts(), dropped}
  return {report: {restored, squashedOwners: owners.squashed(), losses}, ledger}
}

type Found = {readonly place: Buffer; readonly status: Stats}

function find(paths: RootedPaths, path: string): Found | undefined {
  try {
    const place = paths.absolute(paths.resolvePlace(path))
    const status = lstatOrNothing(place)
    return status === undefined ? undefined : {place, status}
  } catch (error) {
    if (error instanceof PathRefusal) return undefined
    throw error
  }
}

/** Returns the kind of an entry, as in a journal; undefined for kinds that no archive has. */
export function kindOf(
  status: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink' | 'isFIFO'>,
): LedgerKind | undefined {
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  if (status.isSymbolicLink()) return 'symlink'
  return status.isFIFO() ? 'fifo' : undefined
}

/** @returns Metadata that the file still lacks. */
function restore({place, status}: Found, entry: LedgerEntry, {owners, setCapability}: Tools): Loss[] {
  own(place, entry, owners)
  // chown(2) removes setuid, setgid and capabilities.
  if (entry.kind !== 'symlink') chmodSync(place, status.mode & 0o7777)
  const lost: Loss[] = owners.loses(entry) ? ['owner'] : []
  if (entry.capability !== undefined && !setCapabilityAt(place, entry.capability, setCapability))
    lost.push('capability')
  return lost
}

function own(place: Buffer, ids: {uid: number; gid: number}, owners: Owners): void {
  const owner = owners.ownerFor(ids)
  if (owner !== undefined) lchownSync(place, owner.uid, owner.gid)
}

function setCapabilityAt(place: Buffer, capability: string, setCapability: CapabilitySetter): boolean {
  const fd = unlessErrno(() => openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  if (fd === undefined) return false
  try {
    return setCapability(fd, Buffer.from(capability, 'base64'))
  } finally {
    closeSync(fd)
  }
}
