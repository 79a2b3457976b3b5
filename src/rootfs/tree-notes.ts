import {archivedSuites} from './apt/archives.js'
import {readSourceFiles} from './apt/source-files.js'
import type {Facts} from './fixes/fix.js'
import type {TreeView} from './fixes/tree-view.js'

/** What is worth telling of a tree, once it is ready. */
export type TreeNote =
  /** Manual pages, translations and the like were left out; `unminimize` in it brings them. */
  | {readonly kind: 'minimized'}
  /** Its packages come from the old releases: nothing is updated any more. */
  | {readonly kind: 'archived'; readonly codename: string}

/** Older images have it as a file of nobody's, newer ones from a package. */
const UNMINIMIZE = ['usr/local/sbin/unminimize', 'usr/bin/unminimize'] as const

/** Notes on a tree after its fixes; what they quote is from `archives`, not from the tree. */
export function noteTree(tree: TreeView, {archives}: Pick<Facts, 'archives'>): TreeNote[] {
  const codenames = readSourceFiles(tree).flatMap(({format, text}) =>
    format.find(text).flatMap((source) => archivedSuites(source, archives)),
  )
  const notes: TreeNote[] = [...new Set(codenames)].map((codename) => ({kind: 'archived', codename}))
  if (UNMINIMIZE.some((path) => tree.kindOf(path) === 'file')) notes.push({kind: 'minimized'})
  return notes
}
