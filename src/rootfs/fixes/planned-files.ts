import {PathRefusal} from '../tree/path-refusal.js'
import {lstatOrNothing, openRootedPaths} from '../tree/rooted-paths.js'
import type {Facts} from './fix.js'
import {FIXES} from './list.js'
import {openTreeView} from './tree-view.js'

/**
 * A file that a fix would write, with its real path: folders on the way resolved through the tree's links.
 */
export type PlannedFile = {
  /** Byte string (latin1), relative to the root. */
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** Base64. */
  readonly content: string
  /** Its parent folders, the outermost first, with their permission bits. */
  readonly folders: readonly {readonly path: string; readonly mode: number}[]
}

/** Permissions of a new folder. */
const NEW_FOLDER = 0o755

/**
 * Returns the files that fixes would write to a tree, without writing any: for a layer on top of it.
 *
 * @param only - Names of the fixes.
 */
export function planFiles(root: string, facts: Facts, only: readonly string[]): PlannedFile[] {
  const tree = openTreeView(root)
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  const edits = FIXES.filter(({name}) => only.includes(name)).flatMap((fix) => fix.plan(tree, facts))
  return edits.flatMap((edit) => {
    if (edit.kind !== 'file') return []
    const path = placeOf(edit.path)
    return [{path, mode: edit.mode, content: edit.content.toString('base64'), folders: foldersOf(path)}]
  })

  function placeOf(path: string): string {
    try {
      return paths.resolvePlace(path)
    } catch (error) {
      if (error instanceof PathRefusal) return path
      throw error
    }
  }

  function foldersOf(path: string): PlannedFile['folders'] {
    const parts = path.split('/').slice(0, -1)
    return parts.map((_, index) => {
      const folder = parts.slice(0, index + 1).join('/')
      const status = lstatOrNothing(paths.absolute(folder))
      return {path: folder, mode: status?.isDirectory() ? status.mode & 0o7777 : NEW_FOLDER}
    })
  }
}
