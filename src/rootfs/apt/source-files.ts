import type {TreeView} from '../fixes/tree-view.js'
import {deb822Sources} from './deb822-sources.js'
import {oneLineSources} from './one-line-sources.js'
import type {SourceFormat} from './source-format.js'

type SourceFile = {
  readonly path: string
  readonly format: SourceFormat
  /** A byte string (latin1). */
  readonly text: string
  readonly mode: number
}

const FOLDER = 'etc/apt/sources.list.d'
/** The names that APT reads. @see sources.list(5) */
const NAME = /^[A-Za-z0-9_.-]+\.(?<extension>list|sources)$/
/** Ten times what a desktop with many vendors has. */
const MOST_FILES = 100

/** Returns the files of APT sources in a tree. Skips links, FIFOs and files that are too large. */
export function readSourceFiles(tree: TreeView): SourceFile[] {
  const parts = tree.list(FOLDER).filter((name) => NAME.test(name))
  return ['etc/apt/sources.list', ...parts.slice(0, MOST_FILES).map((name) => `${FOLDER}/${name}`)].flatMap(
    (path) => {
      const file = tree.readWhole(path)
      if (file === undefined) return []
      const format = path.endsWith('.sources') ? deb822Sources : oneLineSources
      return [{path, format, text: file.content.toString('latin1'), mode: file.mode}]
    },
  )
}
