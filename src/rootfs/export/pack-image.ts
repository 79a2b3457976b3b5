import {
  closeSync,
  constants,
  lstatSync,
  lutimesSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  type Stats,
} from 'node:fs'
import {openTreeView, type TreeView} from '../fixes/tree-view.js'
import {type LedgerCounts, openLedger, readLedger, writeLedger} from '../ledger/ledger.js'
import {findMachineFiles} from '../machine-files.js'
import type {Member} from '../tar/member.js'
import {openTarWriter} from '../tar/writer.js'
import {type OwnerRule, openOwners} from '../tree/owners.js'
import {openTrueOwners} from './export.js'

export type PackOptions = {
  readonly owners: OwnerRule
  /** The tree's metadata journal, which is rewritten. */
  readonly ledger: string
  /** Seconds since 1970; no file of the image is newer. */
  readonly latest: number
  /** Values of security.capability by path. */
  readonly capabilities: ReadonlyMap<string, Buffer>
  /** Receives the archive's bytes in order; may not keep them. */
  readonly write: (bytes: Buffer) => void
  readonly onProgress?: (progress: {entries: number; bytes: number}) => void
}

export type PackReport = {
  readonly entries: number
  /** Size of all files. */
  readonly totalBytes: number
  /** Metadata of the image that the tree lacks. */
  readonly losses: LedgerCounts
}

const {O_RDONLY, O_NOFOLLOW} = constants
const READ_BYTES = 256 * 1024

/**
 * Writes a reproducible archive of a tree that nobody else uses: sorted, with the intended owners, and no
 * time later than `latest`. Sets the same times in the tree, and removes files from it that belong to no
 * image.
 *
 * @throws {NodeJS.ErrnoException}
 */
export function packTree(root: string, options: PackOptions): PackReport {
  const writer = openTarWriter(options.write)
  const counts = {entries: 0, bytes: 0}
  const known = readLedger(options.ledger)
  const lost = openLedger()
  const owners = openTrueOwners({
    entries: new Map(known.entries.map((entry) => [entry.path, entry])),
    overrides: new Map(),
    rule: options.owners,
    owners: openOwners(options.owners),
  })
  const tree = openTreeView(root)
  const knownOwner = options.owners === 'caller' ? openKnownOwners(tree) : undefined
  const machineFiles = new Set(findMachineFiles(tree))
  const places = openHardLinks()
  const piece = Buffer.allocUnsafeSlow(READ_BYTES)

  function pack(path: string, place: Buffer): void {
    const status = lstatSync(place)
    if (machineFiles.has(path) || (path !== '' && isTrace(path, kindOf(status)))) {
      rmSync(place, {recursive: true, force: true})
      return
    }
    const member = memberFor(path, place, status)
    if (member === undefined) return
    counts.entries++
    const whole = {...owners.correct(member, path), ...knownOwner?.(path, member.mode)}
    noteLoss(path, whole, member)
    writer.begin(whole)
    if (member.kind === 'file') copy(place, member.sizeBytes)
    options.onProgress?.(counts)
    if (member.kind === 'folder') packEntries(path, place)
    // After its entries: removing one changes the folder's time.
    if (lstatSync(place).mtimeMs > options.latest * 1000) lutimesSync(place, options.latest, options.latest)
  }

  function packEntries(path: string, place: Buffer): void {
    for (const name of readdirSync(place, 'buffer').sort(Buffer.compare)) {
      const text = name.toString('latin1')
      pack(path === '' ? text : `${path}/${text}`, Buffer.concat([place, Buffer.from('/'), name]))
    }
  }

  /** Records a loss as an extraction of the image would. */
  function noteLoss(path: string, whole: Member, {uid, gid}: Member): void {
    const isSame =
      options.owners === 'keep' ? whole.uid === uid && whole.gid === gid : whole.uid === 0 && whole.gid === 0
    if (isSame || whole.kind === 'hardlink') return
    const {kind, mode} = whole
    lost.note({path, kind, uid: whole.uid, gid: whole.gid, mode, lost: ['owner']})
  }

  /** Returns undefined for entries that no archive has, such as sockets. */
  function memberFor(path: string, place: Buffer, status: Stats): Member | undefined {
    const modified = String(Math.min(Math.floor(status.mtimeMs / 1000), options.latest))
    const {uid, gid} = status
    const isFolder = status.isDirectory()
    const name = path === '' ? './' : `./${path}${isFolder ? '/' : ''}`
    const common = {name, mode: status.mode & 0o7777, uid, gid, modified}
    if (isFolder) return {...common, kind: 'folder'}
    const first = places.firstOf(status, name)
    if (first !== undefined) return {...common, kind: 'hardlink', target: first}
    if (status.isSymbolicLink())
      return {...common, mode: 0o777, kind: 'symlink', target: readlinkSync(place, 'latin1')}
    if (status.isFIFO()) return {...common, kind: 'fifo'}
    if (!status.isFile()) return undefined
    const {size} = status
    const capability = options.capabilities.get(path)
    return {...common, kind: 'file', sizeBytes: size, storedBytes: size, capability}
  }

  function copy(place: Buffer, sizeBytes: number): void {
    const fd = openSync(place, O_RDONLY | O_NOFOLLOW)
    try {
      for (let at = 0; at < sizeBytes; ) {
        const length = readSync(fd, piece, 0, Math.min(READ_BYTES, sizeBytes - at), at)
        if (length === 0) throw new Error(`${place} has become shorter`)
        writer.data(piece.subarray(0, length), at)
        at += length
      }
    } finally {
      closeSync(fd)
    }
    writer.end()
    counts.bytes += sizeBytes
  }

  pack('', Buffer.from(root))
  writer.finish()
  rmSync(options.ledger, {force: true})
  writeLedger(options.ledger, lost)
  return {entries: counts.entries, totalBytes: counts.bytes, losses: lost.counts()}
}

function kindOf(status: Stats): {isFolder: boolean; isEmptyFile: boolean} {
  return {isFolder: status.isDirectory(), isEmptyFile: status.isFile() && status.size === 0}
}

/** Returns the first name of a file with several hard links. */
function openHardLinks(): {firstOf(status: Stats, name: string): string | undefined} {
  const names = new Map<string, string>()
  return {
    firstOf({nlink, dev, ino}, name) {
      if (nlink < 2) return undefined
      const key = `${dev}:${ino}`
      const first = names.get(key)
      if (first === undefined) names.set(key, name)
      return first
    },
  }
}

/** A file that scripts of Debian's base give to a group, with the group's name and the mode. */
const OWNED: readonly (readonly [path: string, group: string, mode: number])[] = [
  ['etc/gshadow', 'shadow', 0o640],
  ['etc/shadow', 'shadow', 0o640],
  ['usr/local', 'staff', 0o2775],
  ['var/local', 'staff', 0o2775],
  ['var/log/btmp', 'utmp', 0o660],
  ['var/log/lastlog', 'utmp', 0o664],
  ['var/log/wtmp', 'utmp', 0o664],
  ['var/mail', 'mail', 0o2775],
]

const GROUP = /^(?<name>[^:]+):[^:]*:(?<gid>\d{1,9}):/gm

export type KnownOwner = {readonly uid: number; readonly gid: number}

/**
 * Owners that base-files, passwd and similar packages set when they are configured, for trees where such
 * changes have no effect: for groups that the tree has.
 *
 * @returns The owner of a path with these permissions; undefined for root, and for unknown paths.
 */
export function openKnownOwners(tree: TreeView): (path: string, mode: number) => KnownOwner | undefined {
  const text = tree.read('etc/group')?.toString('latin1') ?? ''
  const groups = new Map(
    [...text.matchAll(GROUP)].map(({groups: line}) => [line?.['name'], Number(line?.['gid'])]),
  )
  return (path, mode) => {
    const [, group] = OWNED.find((owned) => owned[0] === path && owned[2] === mode) ?? []
    const gid = groups.get(group)
    return gid === undefined ? undefined : {uid: 0, gid}
  }
}

/** Files that depend on the time, place or user of the build, or that can be made again at any time. */
const TRACES: readonly RegExp[] = [
  /^(?:dev|proc|sys|tmp|var\/tmp)\/./,
  /^run\/envs$/,
  // Name, machine id and resolver belong to each environment.
  /^etc\/(?:hostname|machine-id|resolv\.conf)$/,
  /^var\/lib\/dbus\/machine-id$/,
  // Belongs to environments, not to images: it keeps packages from starting services.
  /^usr\/sbin\/policy-rc\.d$/,
  /^var\/cache\/apt\/(?:[^/]+\.bin|archives\/[^/]+\.deb)$/,
  /^var\/lib\/apt\/lists\/(?!lock$|partial$)./,
  /^var\/cache\/(?:debconf\/[^/]+-old|ldconfig\/aux-cache)$/,
  /^var\/lib\/dpkg\/[^/]+-old$/,
]
const LOG = /^var\/log\/./
const RUNTIME = /^run\/./

/**
 * Returns whether an entry of a new tree is removed from an image.
 *
 * @param path - Relative to the root.
 * @param isEmptyFile - Empty logs stay, for their owners and modes.
 */
export function isTrace(
  path: string,
  {isFolder, isEmptyFile}: {isFolder: boolean; isEmptyFile: boolean},
): boolean {
  if (TRACES.some((trace) => trace.test(path))) return true
  if (LOG.test(path)) return !isFolder && !isEmptyFile
  return RUNTIME.test(path) && !isFolder
}
