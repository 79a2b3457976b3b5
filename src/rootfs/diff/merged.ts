import {lstatSync, readlinkSync, type Stats} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {type FolderHandle, openFolder} from '../tree/paths.js'
import {readFirst} from '../tree/regular-file.js'
import type {LayerMarks} from './layer-marks.js'

/**
 * A tree of layers, read file by file. Paths are byte strings (latin1) relative to its root; links are not
 * followed.
 */
export type MergedTree = {
  /** Returns the first bytes of a regular file; undefined if it is missing. */
  read(path: string, options: {maxBytes: number}): Buffer | undefined
  /** Returns the result of `use` for a folder, which is held open meanwhile; undefined if it is missing. */
  inFolder<T>(path: string, use: (folder: TreeFolder) => T): T | undefined
}

export type TreeFolder = {
  /** In order. */
  names(): string[]
  /** Byte string (latin1); undefined if it is not a link. */
  linkTarget(name: string): string | undefined
  /** Permission bits; undefined if it is missing. */
  mode(name: string): number | undefined
  read(name: string, options: {maxBytes: number}): Buffer | undefined
}

const nothing = () => {}

export function openMergedTree(layers: readonly Layer[], order: Order): MergedTree {
  function inFolder<T>(path: string, use: (folder: TreeFolder) => T): T | undefined {
    const opened: MergedFolder['handles'][] = []
    try {
      let parts = order
      let folder: MergedFolder = {path: '', handles: openParts(folders(order), nothing)}
      opened.push(folder.handles)
      for (const component of path === '' ? [] : path.split('/')) {
        const name = Buffer.from(component, 'latin1')
        const at = joinPath(folder.path, component)
        const found = findInStack(at, parts, {layers, statuses: statusesOf(folder, name, nothing)})
        if (found === undefined || found.parts.length === 0) return undefined
        parts = found.parts
        const below = [...folder.handles].filter(([layer]) => parts.includes(layer))
        const handles = openParts(new Map(below.map(([layer, each]) => [layer, each.entry(name)])), nothing)
        opened.push(handles)
        folder = {path: at, handles}
      }
      return use(treeFolder(folder, parts))
    } finally {
      for (const handles of opened) closeAll(handles)
    }
  }

  function folders(which: Order): Map<number, string> {
    return new Map(which.map((layer) => [layer, layers[layer]?.folder ?? '']))
  }

  function treeFolder(folder: MergedFolder, parts: Order): TreeFolder {
    const find = (name: string) =>
      findInStack(joinPath(folder.path, name), parts, {
        layers,
        statuses: statusesOf(folder, Buffer.from(name, 'latin1'), nothing),
      })
    const placeOf = (name: string, found: Found | undefined) =>
      found && folder.handles.get(found.layer)?.entry(Buffer.from(name, 'latin1'))
    return {
      names: () => namesIn(folder, parts, nothing).filter((name) => find(name) !== undefined),
      linkTarget(name) {
        const found = find(name)
        const place = placeOf(name, found)
        if (place === undefined || !found?.status.isSymbolicLink()) return undefined
        return tolerant(() => readlinkSync(place, 'latin1'), nothing)
      },
      mode(name) {
        const found = find(name)
        return found && found.status.mode & 0o7777
      },
      read(name, {maxBytes}) {
        const place = placeOf(name, find(name))
        return place === undefined ? undefined : readFirst(place, maxBytes)
      },
    }
  }

  return {
    inFolder,
    read(path, options) {
      const slash = path.lastIndexOf('/')
      return inFolder(path.slice(0, Math.max(0, slash)), (folder) =>
        folder.read(path.slice(slash + 1), options),
      )
    },
  }
}

/** A folder of a tree whose parts are held open, so that a change of its path can't lead out of the tree. */
export type MergedFolder = {
  /** Byte string (latin1) relative to the root; empty for the root itself. */
  readonly path: string
  readonly handles: ReadonlyMap<number, FolderHandle>
}

/** Called for an unreadable entry. */
export type OnUnreadable = () => void

/** Opens the existing parts of a folder; an unreadable one counts as empty. */
export function openParts(
  places: ReadonlyMap<number, Buffer | string>,
  onUnreadable: OnUnreadable,
): Map<number, FolderHandle> {
  const handles = new Map<number, FolderHandle>()
  for (const [layer, place] of places) {
    const handle = tolerant(() => openFolder(place), onUnreadable)
    if (handle !== undefined) handles.set(layer, handle)
  }
  return handles
}

export function closeAll(handles: ReadonlyMap<number, FolderHandle>): void {
  for (const handle of handles.values()) handle.close()
}

/** Returns the status of a name in each part. */
export function statusesOf(
  {handles}: MergedFolder,
  name: Buffer,
  onUnreadable: OnUnreadable,
): Map<number, Stats> {
  const statuses = new Map<number, Stats>()
  for (const [layer, handle] of handles) {
    const status = tolerant(() => lstatSync(handle.entry(name)), onUnreadable)
    if (status !== undefined) statuses.set(layer, status)
  }
  return statuses
}

/** Returns the names in all parts, as ordered byte strings (latin1). */
export function namesIn({handles}: MergedFolder, parts: Order, onUnreadable: OnUnreadable): string[] {
  const names = new Set<string>()
  for (const layer of parts) {
    const entries = tolerant(() => handles.get(layer)?.list(), onUnreadable) ?? []
    for (const {name} of entries) names.add(name.toString('latin1'))
  }
  return [...names].sort()
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

/** Returns undefined for an entry that was removed meanwhile, or is unreadable. */
export function tolerant<T>(step: () => T, onUnreadable: OnUnreadable): T | undefined {
  try {
    return step()
  } catch (error) {
    const code = errnoOf(error)
    if (code === undefined) throw error
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') onUnreadable()
    return undefined
  }
}

/** A folder on disk that is a layer of trees, with its attributes. */
export type Layer = {readonly folder: string; readonly marks: LayerMarks}

/** Layers of one tree as indexes, the uppermost first: the order of lookups. */
export type Order = readonly number[]

/** An entry of a tree at a path. */
export type Found = {
  readonly status: Stats
  /** The layer that contains it. */
  readonly layer: number
  /** Of a folder: the layers whose entries are visible in it. */
  readonly parts: Order
}

/**
 * Resolves a path by the rules of overlayfs: the uppermost entry counts, whiteouts and opaque folders hide
 * all layers below, and other folders are merged.
 *
 * @param statuses - By layer.
 * @see the kernel's Documentation/filesystems/overlayfs.rst
 */
export function findInStack(
  path: string,
  order: Order,
  {layers, statuses}: {layers: readonly Layer[]; statuses: ReadonlyMap<number, Stats>},
): Found | undefined {
  const parts: number[] = []
  let top: {status: Stats; layer: number} | undefined
  for (const layer of order) {
    const status = statuses.get(layer)
    if (status === undefined) continue
    if (isWhiteout(status)) break
    if (!status.isDirectory()) {
      if (top === undefined) return {status, layer, parts: []}
      break
    }
    top ??= {status, layer}
    parts.push(layer)
    if (layers[layer]?.marks.opaque.has(path)) break
  }
  return top === undefined ? undefined : {...top, parts}
}

/** A character device 0:0, which a guest can't make. */
function isWhiteout(status: Stats): boolean {
  return status.isCharacterDevice() && status.rdev === 0
}
