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
  /** Returns times that do not depend on when envs has changed the tree. */
  times(root: FolderHandle): TreeTimes
}

/** In seconds since 1970. */
export type TreeTimes = {
  /** Of the newest file. */
  readonly newest: number
  /** Of folders in which envs has files: that of the newest other file in it. */
  readonly changed: ReadonlyMap<string, number>
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
    for (const {treatment, ...entry} of all(path, folder))
      if (treatment !== 'left-out') yield {...entry, treatment}
  }

  function* all(
    path: string,
    folder: FolderHandle,
  ): Generator<Omit<LayerEntry, 'treatment'> & {readonly treatment: Treatment}> {
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
      yield {...found, treatment: treatmentOf(seen(found))}
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

  function times(root: FolderHandle): TreeTimes {
    let newest = 0
    const changed = new Map<string, number>()
    const visit = (path: string, folder: FolderHandle) => {
      let [newestHere, isChanged] = [0, false]
      for (const entry of all(path, folder)) {
        const {status, treatment} = entry
        if (treatment !== 'kept') isChanged = true
        else if (status.isDirectory()) within(entry, (inner) => visit(entry.path, inner))
        else if (status.isFile()) newestHere = Math.max(newestHere, Math.floor(status.mtimeMs / 1000))
      }
      newest = Math.max(newest, newestHere)
      if (isChanged) changed.set(path, newestHere)
    }
    visit('', root)
    return {newest, changed: new Map([...changed].map(([path, time]) => [path, time === 0 ? newest : time]))}
  }

  return {list, isBare, times}
}

function within<T>({place}: Pick<LayerEntry, 'place'>, use: (folder: FolderHandle) => T): T {
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
