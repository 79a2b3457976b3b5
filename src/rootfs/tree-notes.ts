import {archivedSuites, readSourceFiles} from './fixes/apt-sources.js'
import type {Facts} from './fixes/fix.js'
import type {TreeView} from './fixes/tree-view.js'

/** Facts about a new tree that the user should know. */
export type TreeNote =
  /** Manual pages, translations and similar files were left out; `unminimize` in the tree installs them. */
  | {readonly kind: 'minimized'}
  /** Its packages come from old-releases: there are no updates any more. */
  | {readonly kind: 'archived'; readonly codename: string}

/** Older images have it as a file of no package, newer ones from a package. */
const UNMINIMIZE = ['usr/local/sbin/unminimize', 'usr/bin/unminimize'] as const

/** Returns notes on a tree after its fixes; their texts are from `archives`, not from the tree. */
export function noteTree(tree: TreeView, {archives}: Pick<Facts, 'archives'>): TreeNote[] {
  const codenames = readSourceFiles(tree).flatMap(({format, text}) =>
    format.find(text).flatMap((source) => archivedSuites(source, archives)),
  )
  const notes: TreeNote[] = [...new Set(codenames)].map((codename) => ({kind: 'archived', codename}))
  if (UNMINIMIZE.some((path) => tree.kindOf(path) === 'file')) notes.push({kind: 'minimized'})
  return notes
}
