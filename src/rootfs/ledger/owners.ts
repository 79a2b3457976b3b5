import {chmodSync, closeSync, constants, lchownSync, lstatSync, openSync, type Stats} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import {openTreeView, type TreeView} from '../fixes/tree-view.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {CapabilitySetter} from '../tree/metadata.js'
import type {Owners, SquashedOwners} from '../tree/owners.js'
import {
  type FolderHandle,
  lstatOrNothing,
  memberPath,
  openFolder,
  openRootedPaths,
  PathRefusal,
  type RootedPaths,
} from '../tree/paths.js'
import {
  type Ledger,
  type LedgerCounts,
  type LedgerEntry,
  type LedgerKind,
  type LedgerRecord,
  type Loss,
  openLedger,
} from './ledger.js'

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
function kindOf(
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

/** An owner and mode that a package, or the user, gave to a path permanently. */
export type StatOverride = {
  /** Relative to the root; a byte string. */
  readonly path: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** A numeric id. */
const NUMERIC = /^#(?<id>\d{1,10})$/
const LINE = /^(?<user>\S+) (?<group>\S+) (?<mode>[0-7]{3,5}) \/(?<path>.+)$/
const ACCOUNT = /^(?<name>[^:]+):[^:]*:(?<id>\d{1,10}):/
/** The largest id; the next one means "unchanged". @see chown(2) */
const MOST_ID = 2 ** 32 - 2

/**
 * Returns dpkg's overrides in a tree, for users and groups that the tree has. Skips malformed lines: the tree
 * is hostile.
 *
 * @see dpkg-statoverride(1)
 */
export function readStatOverrides(tree: Pick<TreeView, 'read'>): StatOverride[] {
  const text = textOf(tree, 'var/lib/dpkg/statoverride')
  if (text === '') return []
  const users = idsByName(textOf(tree, 'etc/passwd'))
  const groups = idsByName(textOf(tree, 'etc/group'))
  return text.split('\n').flatMap((line) => {
    const {user, group, mode, path} = LINE.exec(line)?.groups ?? {}
    if (user === undefined || group === undefined || mode === undefined || path === undefined) return []
    const [uid, gid] = [idOf(user, users), idOf(group, groups)]
    if (uid === undefined || gid === undefined) return []
    const place = placeOf(path)
    return place === undefined ? [] : [{path: place, uid, gid, mode: Number.parseInt(mode, 8) & 0o7777}]
  })
}

/** Returns the path relative to the root; undefined for the root itself, and for an invalid path. */
function placeOf(path: string): string | undefined {
  try {
    return memberPath(path, DEFAULT_LIMITS) || undefined
  } catch (error) {
    if (error instanceof PathRefusal) return undefined
    throw error
  }
}

function textOf(tree: Pick<TreeView, 'read'>, path: string): string {
  return tree.read(path)?.toString('latin1') ?? ''
}

/** Parses lines of passwd(5) and group(5): the name, one more field, the number. */
function idsByName(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const {name, id} = ACCOUNT.exec(line)?.groups ?? {}
      return name === undefined || Number(id) > MOST_ID ? [] : [[name, Number(id)] as const]
    }),
  )
}

function idOf(word: string, known: ReadonlyMap<string, number>): number | undefined {
  const id = NUMERIC.exec(word)?.groups?.['id']
  if (id === undefined) return known.get(word)
  return Number(id) > MOST_ID ? undefined : Number(id)
}
