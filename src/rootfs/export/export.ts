import {toolKilledError} from '../../compression/errors.js'
import {type Exit, ended, start} from '../../host/process.js'
import {treeUnreadableError} from '../errors.js'
import {openTreeView, type TreeView} from '../fixes/tree-view.js'
import {type LedgerEntry, readLedger} from '../ledger/ledger.js'
import {readStatOverrides} from '../ledger/owners.js'
import {DEFAULT_LIMITS, type Limits} from '../limits.js'
import {findMachineFiles} from '../machine-files.js'
import type {Member, MemberSink} from '../tar/member.js'
import {openArchiveOutput} from '../tar/output.js'
import {readTar} from '../tar/reader.js'
import {MOST_ID as MOST_TAR_ID, openTarWriter} from '../tar/writer.js'
import {isCapability} from '../tree/metadata.js'
import {type OwnerRule, type Owners, openOwners} from '../tree/owners.js'
import {openRootedPaths, PathRefusal} from '../tree/paths.js'
import {openExportBounds} from './bounds.js'

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

/** tar(1) may write more and longer headers than the new archive gets; {@link openExportBounds} checks that one. */
const LIMITS: Limits = {...DEFAULT_LIMITS, members: Number.MAX_SAFE_INTEGER, headerBytes: 64 * 2 ** 20}

/** Target of the link that envs adds for the resolver; it does not exist outside of an environment. */
export const RESOLVER_TARGET = '/run/envs/resolv.conf'
export const MACHINE_ID = 'etc/machine-id'
/** Most often a link to the other one. */
export const DBUS_MACHINE_ID = 'var/lib/dbus/machine-id'

/**
 * Writes a tree that is not in use as a tar archive, with the owners, capabilities and device nodes of its
 * image, and without files that authenticate or name the machine.
 *
 * @throws {@link exportRefusedError} @throws As `readTree`; {NodeJS.ErrnoException} EPIPE if the reader has closed.
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
  const bounds = openExportBounds(DEFAULT_LIMITS)
  let isLeftOut = false

  function begin(member: Member): void {
    bounds.check(member, writer.headers())
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

/** Device nodes that a tree could not have, as members of an archive. */
export type LostDevices = {
  /** Returns those of a folder, unless something else has their place. */
  in(folder: string, modified: string): Extract<Member, {kind: 'device'}>[]
}

/** @param entries - Of the tree's journal; the numbers in it come from an archive. */
export function openLostDevices(entries: Iterable<LedgerEntry>, tree: TreeView): LostDevices {
  const byFolder = new Map<string, LedgerEntry[]>()
  for (const entry of entries) {
    if (entry.device === undefined || !areNumbers(entry)) continue
    const folder = entry.path.split('/').slice(0, -1).join('/')
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), entry])
  }
  return {
    in: (folder, modified) =>
      (byFolder.get(folder) ?? [])
        .filter(({path}) => tree.kindOf(path) === 'nothing')
        .flatMap(({path, mode, uid, gid, device}) =>
          device === undefined ? [] : [{kind: 'device', name: `./${path}`, mode, uid, gid, modified, device}],
        ),
  }
}

/** Returns whether a header can hold the numbers: larger ones are not valid. */
function areNumbers({uid, gid, device}: LedgerEntry): boolean {
  return [uid, gid, device?.major, device?.minor].every(
    (number) => number !== undefined && Number.isInteger(number) && number >= 0 && number <= MOST_TAR_ID,
  )
}

/**
 * Mount point of the resolver's settings and the shared packages: it belongs to envs, and is empty without
 * them.
 */
const OWN_MOUNT_POINT = './run/envs'

/**
 * Returns GNU tar's archive of a tree that is not in use. tar follows no link, and reads holes and
 * capabilities, for which Node has no calls. Leaves out sockets.
 *
 * @param options.tar - Absolute path of tar(1), GNU's 1.28 or later.
 * @param options.leftOut - Files of the tree that the archive does not get; byte strings (latin1).
 * @throws {@link treeUnreadableError} From the iteration, as the next: also when something changed the tree meanwhile.
 * @throws {@link toolKilledError}
 */
async function* readTree(
  root: string,
  {tar, leftOut}: {tar: string; leftOut: readonly string[]},
): AsyncGenerator<Buffer> {
  const excludes = leftOut.map((path) => `--exclude=./${Buffer.from(path, 'latin1')}`)
  const child = start([tar, ...OPTIONS, ...excludes, `--directory=${root}`, '.'], {
    // Only in this locale does tar pass names on byte by byte.
    env: {LC_ALL: 'C'},
    // Its messages go to the standard error of this program, which stays open until tar ends.
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = ended(child)
  // Awaited below; a failure until then must not count as unhandled.
  exit.catch(() => {})
  try {
    yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    checkEnd(await exit, root)
  } finally {
    child.kill('SIGKILL')
  }
}

const OPTIONS = [
  ...['--create', '--file=-', '--format=posix', '--pax-option=delete=atime,delete=ctime'],
  ...['--numeric-owner', '--xattrs', '--xattrs-include=security.capability'],
  ...['--one-file-system', '--sort=name', '--sparse'],
  ...['--anchored', '--no-wildcards', `--exclude=${OWN_MOUNT_POINT}`],
]

function checkEnd({status, signal}: Exit, root: string): void {
  if (signal !== null) throw toolKilledError({program: 'tar', signal})
  if (status !== 0)
    throw treeUnreadableError({root}, {cause: new Error(`tar(1) ended with status ${status}`)})
}

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
