import {
  type AptSourceFormat,
  aptSourceFormat,
  isAptSourceFile,
  MOST_SOURCE_FILES,
} from '../../debian/apt-sources.js'
import type {TreeView} from '../fixes/tree-view.js'

type SourceFile = {
  readonly path: string
  readonly format: AptSourceFormat
  /** A byte string (latin1). */
  readonly text: string
  readonly mode: number
}

const FOLDER = 'etc/apt/sources.list.d'

/** Returns the files of APT sources in a tree. Skips links, FIFOs and files that are too large. */
export function readSourceFiles(tree: TreeView): SourceFile[] {
  const parts = tree.list(FOLDER).filter(isAptSourceFile)
  const paths = parts.slice(0, MOST_SOURCE_FILES).map((name) => `${FOLDER}/${name}`)
  return ['etc/apt/sources.list', ...paths].flatMap((path) => {
    const file = tree.readWhole(path)
    if (file === undefined) return []
    return [{path, format: aptSourceFormat(path), text: file.content.toString('latin1'), mode: file.mode}]
  })
}
