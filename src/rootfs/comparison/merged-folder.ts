import {lstatSync, type Stats} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {type FolderHandle, openFolder} from '../tree/folder-handle.js'
import type {Order} from './stack.js'

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
