import {lstatSync, type Stats} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {type FolderHandle, openFolder} from '../tree/folder-handle.js'
import type {Order} from './stack.js'

/** A folder of a tree, of which each part is held open: whatever becomes of its path, nothing leads out of the tree. */
export type MergedFolder = {
  /** Byte string (latin1) below the root; empty for the root itself. */
  readonly path: string
  readonly handles: ReadonlyMap<number, FolderHandle>
}

/** Told of what can't be looked into. */
export type OnUnreadable = () => void

/** The parts of a folder that are there; one that is closed to us counts as having nothing. */
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

/** What each part has under a name. */
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

/** Names that some of the parts have, byte strings (latin1) in order. */
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

/** Undefined for what is gone meanwhile, or closed to us. */
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
