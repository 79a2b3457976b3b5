import {lstatSync, readlinkSync, type Stats} from 'node:fs'
import type {LayerMarks} from '../diff/layer-marks.js'
import {joinPath} from '../diff/merged.js'
import {readRegularFile} from '../fixes/tree-view.js'
import type {OwnerRule} from '../tree/owners.js'
import {type FolderHandle, openFolder} from '../tree/paths.js'
import {type LayerKind, openOwnEntries, type PersonalFiles, type Treatment} from './own-entries.js'
import {namesWithoutShims} from './shims.js'

/** An entry of a tree that belongs into the layer of an image. */
export type LayerEntry = {
  /** Byte strings (latin1) relative to the root: in the image, and on disk. */
  readonly path: string
  readonly diskPath: string
  readonly place: Buffer
  readonly status: Stats
  readonly treatment: Exclude<Treatment, 'left-out'>
}

/** The entries of a tree without those of envs. Folders are held open by the caller. */
export type LayerEntries = {
  /** Returns the entries of a folder in the order of their names' bytes, by their names in the image. */
  list(path: string, folder: FolderHandle): Iterable<LayerEntry>
  /** Returns whether a folder is as envs has made it for personal files, with nothing else in it. */
  isBare(path: string, folder: FolderHandle): boolean
  /** Returns the time of the newest file in a folder and below, in seconds; 0 without one. */
  newestIn(path: string, folder: FolderHandle): number
}

export function openLayerEntries({
  kind,
  personal,
  marks,
  rule,
}: {
  readonly kind: LayerKind
  readonly personal: PersonalFiles
  readonly marks: LayerMarks
  readonly rule: OwnerRule
}): LayerEntries {
  const treatmentOf = openOwnEntries(kind, personal)
  const laid = new Map(personal.folders.map(({path, mode}) => [path, mode]))

  function* list(path: string, folder: FolderHandle): Generator<LayerEntry> {
    const names = folder.list().map(({name}) => name.toString('latin1'))
    const placeOf = (name: string) => folder.entry(Buffer.from(name, 'latin1'))
    for (const {name, onDisk} of namesWithoutShims(path, names, (each) => targetOf(placeOf(each)))) {
      const place = placeOf(onDisk)
      const found = {
        path: joinPath(path, name),
        diskPath: joinPath(path, onDisk),
        place,
        status: lstatSync(place),
      }
      const treatment = treatmentOf(seen(found))
      if (treatment !== 'left-out') yield {...found, treatment}
    }
  }

  function isBare(path: string, folder: FolderHandle): boolean {
    const {mode, uid, gid} = folder.status
    const isOurs = rule === 'caller' || (uid === 0 && gid === 0)
    if (!isOurs || laid.get(path) !== (mode & 0o7777) || marks.users.has(path)) return false
    for (const entry of list(path, folder)) {
      const isLaid = entry.status.isDirectory() && !marks.opaque.has(entry.diskPath)
      if (!isLaid || !within(entry, (inner) => isBare(entry.path, inner))) return false
    }
    return true
  }

  function newestIn(path: string, folder: FolderHandle): number {
    let newest = 0
    for (const entry of list(path, folder)) {
      const {status, treatment} = entry
      if (status.isDirectory())
        newest = Math.max(
          newest,
          within(entry, (inner) => newestIn(entry.path, inner)),
        )
      else if (status.isFile() && treatment === 'kept')
        newest = Math.max(newest, Math.floor(status.mtimeMs / 1000))
    }
    return newest
  }

  return {list, isBare, newestIn}
}

function within<T>({place}: LayerEntry, use: (folder: FolderHandle) => T): T {
  const folder = openFolder(place)
  try {
    return use(folder)
  } finally {
    folder.close()
  }
}

function seen({path, place, status}: Pick<LayerEntry, 'path' | 'place' | 'status'>) {
  return {
    path,
    kind: kindOf(status),
    target: status.isSymbolicLink() ? readlinkSync(place, 'latin1') : undefined,
    sizeBytes: status.size,
    read: () => readRegularFile(place) ?? Buffer.alloc(0),
  }
}

function kindOf(status: Stats): 'file' | 'folder' | 'link' | 'other' {
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  return status.isSymbolicLink() ? 'link' : 'other'
}

function targetOf(place: Buffer): string | undefined {
  const status = lstatSync(place, {throwIfNoEntry: false})
  return status?.isSymbolicLink() === true ? readlinkSync(place, 'latin1') : undefined
}

/** Returns the folder and the name of a path. */
export function splitPath(path: string): [string, string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
}
