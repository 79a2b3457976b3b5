import {closeSync, constants, lstatSync, openSync, readlinkSync, readSync, type Stats} from 'node:fs'
import type {LayerMarks} from '../diff/layer-marks.js'
import {joinPath} from '../diff/merged.js'
import {layerRefusedError} from '../errors.js'
import {openExportBounds, shownName} from '../export/bounds.js'
import {MACHINE_ID, openLostDevices, openTrueOwners} from '../export/export.js'
import {openTreeView, readRegularFile} from '../fixes/tree-view.js'
import {type LedgerEntry, readLedger} from '../ledger/ledger.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {DeviceNode, Member} from '../tar/member.js'
import {openTarWriter} from '../tar/writer.js'
import {type OwnerRule, openOwners} from '../tree/owners.js'
import {type FolderHandle, openFolder} from '../tree/paths.js'
import {type LayerEntry, openLayerEntries, splitPath} from './entries.js'
import type {LayerKind, PersonalFiles} from './own-entries.js'
import {DIVERSIONS, diversionsWithoutShims} from './shims.js'

export type PackLayerOptions = {
  readonly kind: LayerKind
  readonly personal: PersonalFiles
  /** The tree's metadata journal; may be missing. */
  readonly ledger: string
  readonly rule: OwnerRule
  /** dpkg's overrides, by real path. */
  readonly overrides: ReadonlyMap<string, Pick<LedgerEntry, 'uid' | 'gid'>>
  readonly marks: LayerMarks
  /** The root folder of the layer below, for `changes`. */
  readonly below: string | undefined
  /** Seconds since 1970: no entry has a later time. */
  readonly latest: number | undefined
  /** Receives the bytes of the layer in order; may not keep them. */
  readonly write: (bytes: Buffer) => void
  readonly onProgress: (progress: {entries: number; bytes: number}) => void
}

export type PackLayerReport = {
  /** 0: nothing has changed. */
  readonly entries: number
  /** Size of all files. */
  readonly totalBytes: number
}

/** @see https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/** The program that lists attributes goes no deeper; a folder of each level is open. */
const MOST_LEVELS = 250
const READ_BYTES = 256 * 1024
const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Writes a tree that is not in use as a layer of a container image, whose bytes depend on the files alone: names sorted by their
 * bytes, no names of owners, whole seconds. An upper layer of overlayfs becomes the changes that its whiteouts and opaque folders
 * mean. Has nothing of envs' own in it.
 *
 * @throws {@link layerRefusedError} @throws {@link exportRefusedError} @throws {NodeJS.ErrnoException}
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
export function packLayer(root: string, options: PackLayerOptions): PackLayerReport {
  const {kind, marks, rule} = options
  const tree = openLayerEntries(options)
  const known = new Map(readLedger(options.ledger).entries.map((entry) => [entry.path, entry]))
  const owners = openTrueOwners({
    entries: known,
    overrides: options.overrides,
    rule,
    owners: openOwners(rule),
  })
  const devices = kind === 'changes' ? undefined : openLostDevices(known.values(), openTreeView(root))
  const writer = openTarWriter(options.write)
  const bounds = openExportBounds(DEFAULT_LIMITS)
  const counts = {entries: 0, bytes: 0}
  const firstNames = new Map<string, string>()
  const piece = Buffer.allocUnsafeSlow(READ_BYTES)
  const top = openFolder(root)
  // The fixes have changed the times of folders in an image's layer.
  const times = kind === 'image' ? tree.times(top) : undefined
  const latest = Math.min(
    options.latest ?? Number.POSITIVE_INFINITY,
    times?.newest ?? Number.POSITIVE_INFINITY,
  )

  function begin(member: Member, path: string): void {
    const whole = owners.correct(member, path)
    bounds.check(whole, writer.headers())
    counts.entries++
    writer.begin(whole)
    options.onProgress(counts)
  }

  function put(member: Member, path: string): void {
    begin(member, path)
    writer.end()
  }

  function putMark(folder: string, name: string): void {
    const member = {name: joinPath(folder, name), mode: 0, uid: 0, gid: 0, modified: '0'}
    bounds.check({...member, ...EMPTY}, writer.headers())
    counts.entries++
    writer.begin({...member, ...EMPTY})
    writer.end()
  }

  function packRoot(): void {
    const {status} = top
    if (kind !== 'changes' || hasOtherLook(status, options.below))
      put({...commonOf(status, './', ''), kind: 'folder'}, '')
    packEntries('', top, 0)
  }

  function packEntries(path: string, folder: FolderHandle, level: number): void {
    if (level > MOST_LEVELS)
      throw layerRefusedError({path: shownName(path), reason: 'its folders are nested too deep'})
    const modified = timeOf(folder.status, path)
    for (const device of devices?.in(path, modified) ?? []) put({...device, name: device.name.slice(2)}, path)
    const isWithoutId = kind === 'image' && path === FOLDER_OF_ID
    let needsId =
      isWithoutId && lstatSync(folder.entry(Buffer.from(ID_NAME)), {throwIfNoEntry: false}) === undefined
    for (const entry of tree.list(path, folder)) {
      if (needsId && entry.path > MACHINE_ID) {
        putMachineId(modified)
        needsId = false
      }
      pack(entry, level)
    }
    if (needsId) putMachineId(modified)
  }

  /** systemd treats a missing machine id as the first boot of a machine, and an empty one as unset. */
  function putMachineId(modified: string): void {
    put({name: MACHINE_ID, mode: 0o444, uid: 0, gid: 0, modified, ...EMPTY}, MACHINE_ID)
  }

  function pack(entry: LayerEntry, level: number): void {
    const {path, place, status, treatment} = entry
    const [folder, name] = splitPath(path)
    if (name.startsWith(WHITEOUT))
      throw layerRefusedError({
        path: shownName(path),
        reason: 'in a layer its name would remove another file',
      })
    refuseMoved(entry)
    if (isWhiteout(status)) {
      putMark(folder, `${WHITEOUT}${name}`)
      return
    }
    if (status.isDirectory()) {
      packFolder(entry, level)
      return
    }
    const common = commonOf(status, path)
    if (treatment === 'emptied') {
      const mode = path === MACHINE_ID ? 0o444 : 0o644
      put({...commonOf(status, path, folder), mode, ...EMPTY}, path)
      return
    }
    const first = firstNameOf(status, path)
    if (first !== undefined) put({...common, kind: 'hardlink', target: first}, path)
    else if (status.isSymbolicLink())
      put({...common, mode: 0o777, kind: 'symlink', target: readlinkSync(place, 'latin1')}, path)
    else if (status.isFIFO()) put({...common, kind: 'fifo'}, path)
    else if (status.isFile()) packFile(entry, common)
    else if (status.isCharacterDevice() || status.isBlockDevice())
      put({...common, kind: 'device', device: deviceOf(status)}, path)
    // A socket is of a process that has ended.
  }

  function packFolder({path, diskPath, place, status}: LayerEntry, level: number): void {
    const folder = openFolder(place)
    try {
      const isOpaque = marks.opaque.has(diskPath)
      if (!isOpaque && tree.isBare(path, folder)) return
      put({...commonOf(status, `${path}/`, path), ...attributesOf(diskPath), kind: 'folder'}, path)
      // Before all others: a reader need not look back.
      if (isOpaque) putMark(path, OPAQUE)
      packEntries(path, folder, level + 1)
    } finally {
      folder.close()
    }
  }

  function packFile({path, diskPath, place, status}: LayerEntry, common: CommonFields): void {
    const changed = path === DIVERSIONS ? diversionsOf(place) : undefined
    const sizeBytes = changed?.length ?? status.size
    const capability = marks.capabilities.get(diskPath)
    const fields = {
      ...{sizeBytes, storedBytes: sizeBytes},
      capability: capability === undefined ? undefined : Buffer.from(capability, 'hex'),
    }
    begin({...common, ...attributesOf(diskPath), kind: 'file', ...fields}, path)
    if (changed === undefined) copy(place, sizeBytes, path)
    else writer.data(changed, 0)
    writer.end()
    counts.bytes += sizeBytes
  }

  function copy(place: Buffer, sizeBytes: number, path: string): void {
    const fd = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      for (let at = 0; at < sizeBytes; ) {
        const length = readSync(fd, piece, 0, Math.min(READ_BYTES, sizeBytes - at), at)
        if (length === 0)
          throw layerRefusedError({path: shownName(path), reason: 'it has become shorter meanwhile'})
        writer.data(piece.subarray(0, length), at)
        at += length
      }
    } finally {
      closeSync(fd)
    }
  }

  /** @param folder - Path of the folder, or of the one that has the entry, if envs may have changed its time. */
  function commonOf(status: Stats, name: string, folder?: string): CommonFields {
    const {uid, gid, mode} = status
    return {name, mode: mode & 0o7777, uid, gid, modified: timeOf(status, folder)}
  }

  function timeOf({mtimeMs}: Stats, folder?: string): string {
    const ownTime = folder === undefined ? undefined : times?.changed.get(folder)
    return String(Math.min(ownTime ?? Math.floor(mtimeMs / 1000), latest))
  }

  function attributesOf(diskPath: string): Pick<Member, 'attributes'> {
    const attributes = marks.users.get(diskPath)
    return attributes === undefined ? {} : {attributes}
  }

  /** Returns the first name of a file with several hard links in the layer. */
  function firstNameOf({nlink, dev, ino}: Stats, path: string): string | undefined {
    if (nlink < 2) return undefined
    const key = `${dev}:${ino}`
    const first = firstNames.get(key)
    if (first === undefined) firstNames.set(key, path)
    return first
  }

  /** With other mount options than those of envs, overlayfs moves a folder, or keeps the content of a file below. */
  function refuseMoved({path, diskPath}: LayerEntry): void {
    for (const name of marks.users.get(diskPath)?.keys() ?? [])
      if (name.startsWith('user.overlay.'))
        throw layerRefusedError({
          path: shownName(path),
          reason: `it has the attribute ${name}, which envs does not set`,
        })
  }

  try {
    packRoot()
  } finally {
    top.close()
  }
  writer.finish()
  return {entries: counts.entries, totalBytes: counts.bytes}
}

type CommonFields = Pick<Member, 'name' | 'mode' | 'uid' | 'gid' | 'modified'>

const EMPTY = {kind: 'file', sizeBytes: 0, storedBytes: 0, capability: undefined} as const

const [FOLDER_OF_ID, ID_NAME] = splitPath(MACHINE_ID)

function hasOtherLook(status: Stats, below: string | undefined): boolean {
  if (below === undefined) return false
  const other = lstatSync(below)
  return status.mode !== other.mode || status.uid !== other.uid || status.gid !== other.gid
}

/** A character device 0:0, which a guest can't make. */
function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0
}

function diversionsOf(place: Buffer): Buffer | undefined {
  const content = readRegularFile(place)
  if (content === undefined || content.length !== lstatSync(place).size) return undefined
  return Buffer.from(diversionsWithoutShims(content.toString('latin1')), 'latin1')
}

/** @see makedev(3) */
function deviceOf(status: Stats): DeviceNode {
  const {rdev} = status
  const [low, high] = [rdev % 2 ** 32, Math.floor(rdev / 2 ** 32)]
  return {
    type: status.isBlockDevice() ? 'block' : 'char',
    major: (low >>> 8) & 0xfff,
    minor: (low & 0xff) | ((low >>> 12) & 0xfff00) | ((high & 0xfff) << 20),
  }
}
