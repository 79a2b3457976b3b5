import {readlinkSync} from 'node:fs'
import {readFirst} from './file-content.js'
import {
  closeAll,
  joinPath,
  type MergedFolder,
  namesIn,
  openParts,
  statusesOf,
  tolerant,
} from './merged-folder.js'
import {type Found, findInStack, type Layer, type Order} from './stack.js'

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
