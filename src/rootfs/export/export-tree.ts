import {openTreeView} from '../fixes/tree-view.js'
import type {LedgerEntry} from '../ledger/entry.js'
import {readLedger} from '../ledger/file.js'
import {readStatOverrides} from '../ledger/stat-overrides.js'
import {DEFAULT_LIMITS, type Limits} from '../limits.js'
import {findMachineFiles} from '../machine-files.js'
import type {Member, MemberSink} from '../tar/member.js'
import {readTar} from '../tar/tar-reader.js'
import {openTarWriter} from '../tar/tar-writer.js'
import {type OwnerRule, openOwners} from '../tree/owners.js'
import {PathRefusal} from '../tree/path-refusal.js'
import {openRootedPaths} from '../tree/rooted-paths.js'
import {openArchiveOutput} from './archive-output.js'
import {openLostDevices} from './lost-devices.js'
import {readTree} from './read-tree.js'
import {openTrueOwners} from './true-owners.js'

export type ExportReport = {
  /** Members of the archive. */
  readonly entries: number
  /** Size of all files, without holes. */
  readonly totalBytes: number
}

export type ExportOptions = {
  /** The tree's metadata journal; may be missing. */
  readonly ledger: string
  readonly rule: OwnerRule
  /** The comment in the archive. */
  readonly comment: string
  /** Destination of the archive, written by blocking calls. */
  readonly fd: number
  readonly tar: string
  readonly onProgress?: (progress: {entries: number; bytes: number}) => void
}

/** The tree belongs to this user: it may be larger than the limits for images. */
const LIMITS: Limits = {...DEFAULT_LIMITS, members: Number.MAX_SAFE_INTEGER, headerBytes: 64 * 2 ** 20}

/** Target of the link that envs adds for the resolver; it does not exist outside of an environment. */
const RESOLVER_TARGET = '/run/envs/resolv.conf'
const MACHINE_ID = 'etc/machine-id'
/** Most often a link to the other one. */
const DBUS_MACHINE_ID = 'var/lib/dbus/machine-id'

/**
 * Writes a tree that is not in use as a tar archive, with the owners, capabilities and device nodes of its
 * image, and without files that authenticate or name the machine.
 *
 * @throws As `readTree`; {NodeJS.ErrnoException} EPIPE if the reader has closed.
 */
export async function exportTree(root: string, options: ExportOptions): Promise<ExportReport> {
  const {entries} = readLedger(options.ledger)
  const tree = openTreeView(root)
  const known = new Map(entries.map((entry) => [entry.path, entry]))
  const owners = openTrueOwners({
    entries: known,
    overrides: options.rule === 'caller' ? readOverrides(root) : new Map(),
    rule: options.rule,
    owners: openOwners(options.rule),
  })
  const devices = openLostDevices(known.values(), tree)
  const output = openArchiveOutput(options.fd)
  const writer = openTarWriter(output.write)
  const counts = {entries: 0, bytes: 0}
  let isLeftOut = false

  function begin(member: Member): void {
    counts.entries++
    if (member.kind === 'file') counts.bytes += member.storedBytes
    writer.begin(member)
  }

  const sink: MemberSink = {
    begin(member) {
      const path = plainPath(member.name)
      isLeftOut = path === MACHINE_ID && member.kind === 'file'
      begin(withoutOwnFiles(owners.correct(member, path), path))
      if (member.kind === 'folder') for (const device of devices.in(path, member.modified)) begin(device)
      options.onProgress?.(counts)
    },
    data(bytes, offset) {
      if (!isLeftOut) writer.data(bytes, offset)
    },
    end: writer.end,
  }
  writer.comment(options.comment)
  const dbusId = tree.kindOf(DBUS_MACHINE_ID) === 'file' ? [DBUS_MACHINE_ID] : []
  const leftOut = [...findMachineFiles(tree), ...dbusId]
  await readTar(readTree(root, {tar: options.tar, leftOut}), sink, LIMITS)
  writer.finish()
  output.flush()
  return {entries: counts.entries, totalBytes: counts.bytes}
}

/** Normalises names that tar(1) writes for `.`: `./etc/` becomes `etc`, and `./` an empty string. */
function plainPath(name: string): string {
  return name.replace(/^\.\//, '').replace(/\/$/, '')
}

/**
 * Replaces the machine id, and the link of envs to the resolver's settings, by empty files: the next machine
 * writes its own. systemd treats an empty machine id as unset, and a missing one as a first boot.
 */
function withoutOwnFiles(member: Member, path: string): Member {
  const isResolver = member.kind === 'symlink' && member.target === RESOLVER_TARGET
  const isMachineId = member.kind === 'file' && path === MACHINE_ID
  if (!isResolver && !isMachineId) return member
  const {name, uid, gid, modified} = member
  return {
    ...{kind: 'file', name, uid, gid, modified, mode: isMachineId ? 0o444 : 0o644},
    ...{sizeBytes: 0, storedBytes: 0, capability: undefined},
  }
}

/** Reads overrides by their real path, as links in the tree lead; a path that leads nowhere has no member. */
function readOverrides(root: string): ReadonlyMap<string, Pick<LedgerEntry, 'uid' | 'gid'>> {
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  const places = new Map<string, Pick<LedgerEntry, 'uid' | 'gid'>>()
  for (const {path, uid, gid} of readStatOverrides(openTreeView(root))) {
    try {
      places.set(paths.resolvePlace(path), {uid, gid})
    } catch (error) {
      if (!(error instanceof PathRefusal)) throw error
    }
  }
  return places
}
