import {
  type BigIntStats,
  chmodSync,
  closeSync,
  type Dirent,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import {dirname, join, posix} from 'node:path'
import {archiveToolMissingError} from '../../compression/errors.js'
import {isErrno} from '../../host/errno.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {runBlocking} from '../../host/process.js'
import {layersRefusedError, storageFailedError} from '../errors.js'
import {type LedgerCounts, openLedger, readLedger, writeLedger} from '../ledger/ledger.js'
import {DEFAULT_LIMITS} from '../limits.js'
import type {Timestamp} from '../tar/member.js'
import {type Attributes, setAttributes} from '../tree/attributes.js'
import {modificationTime} from '../tree/metadata.js'
import {lstatOrNothing, memberPath, openRootedPaths, PathRefusal} from '../tree/paths.js'
import {type LayerChanges, readChanges} from './changes.js'

/** A stored layer: its tree, and the files beside it. */
export type StoredLayerFiles = {readonly tree: string; readonly changes: string; readonly ledger: string}

type MergeOptions = {
  /** Path of the ledger of the merged tree: a new file. */
  readonly ledger: string
  /** Folder in which programs of the image start: made where no layer has it. */
  readonly workingFolder?: string | undefined
  /** Whether this process may set owners. */
  readonly setsOwners: boolean
  readonly which: (program: string) => string | undefined
  readonly architecture: DebArchitecture
}

/** The metadata that a folder gets when all layers are merged. */
type FolderLook = {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modified: Timestamp
  readonly attributes?: Attributes | undefined
}

/** For a folder that no layer has an entry for. The time is the same in each merge of the same layers. */
const PLAIN_LOOK: FolderLook = {mode: 0o755, uid: 0, gid: 0, modified: '0'}

/**
 * Merges the stored layers of an image, from the lowest to the highest, into one plain tree in `root`, an empty folder of the
 * caller's. The files are hard links to those of the layers: nothing may change them in place, because other images have them too.
 *
 * @returns Metadata of the image that the tree lacks.
 * @throws {@link layersRefusedError} When a layer links to a file that no layer below has. @throws {NodeJS.ErrnoException}
 */
export function mergeImageLayers(
  layers: readonly StoredLayerFiles[],
  root: string,
  {ledger: ledgerPath, workingFolder, setsOwners, which, architecture}: MergeOptions,
): LedgerCounts {
  const ledger = openLedger()
  const folders = new Map<string, FolderLook>([['', PLAIN_LOOK]])
  // Beside the tree: on the same file system, and in no way of its names.
  const aside = mkdtempSync(join(dirname(root), '.aside-'))

  for (const layer of layers) apply(layer)
  if (workingFolder !== undefined) makeWorkingFolder(workingFolder)
  setAttributes(
    [...folders].flatMap(([path, {attributes}]) =>
      attributes === undefined ? [] : [[at(path), attributes] as const],
    ),
    {which, architecture},
  )
  for (const [path, look] of [...folders].sort(([a], [b]) => b.length - a.length)) setLook(at(path), look)
  rmSync(aside, {recursive: true, force: true})
  writeLedger(ledgerPath, ledger)
  return ledger.counts()

  function apply({tree, changes: changesPath, ledger: layerLedger}: StoredLayerFiles): void {
    const changes = readChanges(changesPath)
    // The targets are found before the layer removes anything: it may remove the name that it links to.
    const held = holdTargets(changes.links)
    for (const path of changes.opaque) if (folders.has(path)) empty(path)
    for (const path of changes.hidden) removeAt(path)
    const own = {
      tree: `${tree}/`,
      implied: new Set(changes.implied),
      modes: new Map(changes.modes),
      attributes: attributesByPath(changes.attributes),
    }
    merge('', own)
    for (const [path, place] of held) {
      makeWay(path)
      renameSync(place, at(path))
    }
    for (const entry of readLedger(layerLedger).entries) ledger.note(entry)
    for (const [path, target] of changes.links) noteLinked(path, target)
  }

  function holdTargets(links: LayerChanges['links']): readonly (readonly [path: string, place: string])[] {
    if (links.length === 0) return []
    const paths = openRootedPaths(root, (path) => {
      throw new PathRefusal(path, 'it is missing')
    })
    return links.map(([path, target], index) => {
      const place = join(aside, String(index))
      const from = paths.absolute(resolveTarget(paths.resolvePlace, {path, target}))
      const status = lstatOrNothing(from)
      if (status === undefined || status.isDirectory()) throw noTarget(path, target)
      linkOrCopy(from, Buffer.from(place))
      return [path, place]
    })
  }

  function noteLinked(path: string, target: string): void {
    ledger.forget(path)
    const entry = ledger.get(target)
    if (entry !== undefined) ledger.note({...entry, path})
  }

  type OwnTree = {
    readonly tree: string
    readonly implied: ReadonlySet<string>
    readonly modes: ReadonlyMap<string, number>
    readonly attributes: ReadonlyMap<string, Attributes>
  }

  /** Merges a folder of a layer, which exists in the merged tree or is made. */
  function merge(path: string, own: OwnTree): void {
    const place = Buffer.from(own.tree + path, 'latin1')
    ensureFolder(path, own.implied.has(path) ? undefined : () => lookOf(place, path, own))
    for (const entry of readdirSync(place, {encoding: 'buffer', withFileTypes: true})) {
      const below = childOf(path, entry)
      if (entry.isDirectory()) merge(below, own)
      else placeFile(Buffer.from(own.tree + below, 'latin1'), below)
    }
  }

  /** @param look - Undefined for a folder that the layer only implies: an existing one stays as it is. */
  function ensureFolder(path: string, look: (() => FolderLook) | undefined): void {
    if (!folders.has(path)) {
      makeWay(path)
      mkdirSync(at(path), 0o700)
      folders.set(path, PLAIN_LOOK)
    }
    if (look === undefined) return
    ledger.forget(path)
    folders.set(path, look())
  }

  function placeFile(from: Buffer, path: string): void {
    ledger.forget(path)
    try {
      linkOrCopy(from, at(path))
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      makeWay(path)
      linkOrCopy(from, at(path))
    }
  }

  /** Removes what is at the path, if anything is. */
  function makeWay(path: string): void {
    ledger.forget(path)
    if (folders.has(path)) {
      empty(path)
      rmdirSync(at(path))
      folders.delete(path)
    } else if (lstatOrNothing(at(path)) !== undefined) unlinkSync(at(path))
  }

  /** Removes what the layers below have at a path; a symlink on the way leads nowhere. */
  function removeAt(path: string): void {
    if (folders.has(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) makeWay(path)
  }

  function empty(path: string): void {
    // At once: devices are in the ledger, and not in the tree.
    ledger.forgetIn(path)
    clear(path)
  }

  function clear(path: string): void {
    for (const entry of readdirSync(at(path), {encoding: 'buffer', withFileTypes: true})) {
      const below = childOf(path, entry)
      if (entry.isDirectory()) {
        clear(below)
        rmdirSync(at(below))
        folders.delete(below)
      } else unlinkSync(at(below))
    }
  }

  /** Resolves links as the guest does. If something else is in the way, sessions start where they do without a working folder. */
  function makeWorkingFolder(text: string): void {
    const paths = openRootedPaths(root, (path) => {
      mkdirSync(at(path), 0o700)
      folders.set(path, PLAIN_LOOK)
    })
    try {
      const plain = posix.normalize(`/${Buffer.from(text).toString('latin1')}`)
      paths.resolveFolder(memberPath(plain, DEFAULT_LIMITS))
    } catch (error) {
      if (!(error instanceof PathRefusal)) throw error
    }
  }

  function at(path: string): Buffer {
    return Buffer.from(`${root}/${path}`, 'latin1')
  }

  function setLook(place: Buffer, {mode, uid, gid, modified}: FolderLook): void {
    if (setsOwners) lchownSync(place, uid, gid)
    chmodSync(place, mode)
    lutimesSync(place, modificationTime(modified), modificationTime(modified))
  }

  function linkOrCopy(from: Buffer, to: Buffer): void {
    try {
      linkSync(from, to)
    } catch (error) {
      // ext4 allows 65,000 names for a file, other file systems fewer.
      if (!isErrno(error, 'EMLINK')) throw error
      copyFile(from, to)
    }
  }

  function copyFile(from: Buffer, to: Buffer): void {
    const status = lstatSync(from, {bigint: true})
    if (status.isSymbolicLink()) {
      symlinkSync(readlinkSync(from, 'buffer'), to)
      if (setsOwners) lchownSync(to, Number(status.uid), Number(status.gid))
      lutimesSync(to, modificationTime(timeOf(status)), modificationTime(timeOf(status)))
      return
    }
    const cp = which('cp')
    if (cp === undefined)
      throw archiveToolMissingError({
        program: 'cp',
        hostPackage: 'coreutils',
        purpose: 'to copy files with too many names',
      })
    // By a descriptor and a plain name: an argument is text, and names are bytes.
    const copy = join(aside, 'copy')
    const fd = openSync(from, 'r')
    try {
      const status = runBlocking([cp, '--dereference', '--preserve=all', '--', '/proc/self/fd/3', copy], {fd})
      if (status !== 0) throw storageFailedError({path: copy, reason: `cp(1) ended with status ${status}`})
    } finally {
      closeSync(fd)
    }
    renameSync(copy, to)
  }
}

function resolveTarget(
  resolve: (path: string) => string,
  {path, target}: {readonly path: string; readonly target: string},
): string {
  try {
    return resolve(target)
  } catch (error) {
    if (error instanceof PathRefusal) throw noTarget(path, target)
    throw error
  }
}

function noTarget(path: string, target: string): Error {
  return layersRefusedError({path, reason: `links to "${target}", which is no file of the layers below`})
}

type FolderChanges = {
  readonly modes: ReadonlyMap<string, number>
  readonly attributes: ReadonlyMap<string, Attributes>
}

function lookOf(place: Buffer, path: string, {modes, attributes}: FolderChanges): FolderLook {
  const status = lstatSync(place, {bigint: true})
  return {
    mode: modes.get(path) ?? Number(status.mode & 0o7777n),
    uid: Number(status.uid),
    gid: Number(status.gid),
    modified: timeOf(status),
    attributes: attributes.get(path),
  }
}

function attributesByPath(attributes: LayerChanges['attributes']): ReadonlyMap<string, Attributes> {
  const all = new Map<string, Map<string, Buffer>>()
  for (const [path, name, value] of attributes) {
    const own = all.get(path) ?? new Map<string, Buffer>()
    all.set(path, own.set(name, Buffer.from(value, 'base64')))
  }
  return all
}

function timeOf({mtimeNs}: BigIntStats): Timestamp {
  const sign = mtimeNs < 0n ? '-' : ''
  const absolute = mtimeNs < 0n ? -mtimeNs : mtimeNs
  return `${sign}${absolute / 1_000_000_000n}.${String(absolute % 1_000_000_000n).padStart(9, '0')}`
}

function childOf(folder: string, {name}: Dirent<Buffer>): string {
  const text = name.toString('latin1')
  return folder === '' ? text : `${folder}/${text}`
}
