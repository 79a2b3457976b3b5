import type {Paths} from '../host/paths.js'
import {plainRoot, type RootMount} from '../sandbox/mounts.js'
import type {History} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import type {Environment} from './store.js'

/** What the guest's `/` is made of. */
export type GuestTree =
  | {readonly kind: 'directory'; readonly root: string}
  | {readonly kind: 'overlay'; readonly history: History}

type Subject = Pick<Environment, 'files' | 'record'>

/** @throws {HistoryUnreadableError} */
export async function readGuestTree({files, record}: Subject): Promise<GuestTree> {
  if (record.storage === 'directory') return {kind: 'directory', root: files.root}
  return {kind: 'overlay', history: await readHistory(files.history)}
}

export function rootMount({layers}: Pick<Paths, 'layers'>, tree: GuestTree): RootMount {
  if (tree.kind === 'directory') return plainRoot(tree.root)
  const {upper, ...history} = tree.history
  const {tree: writable, work} = layerFiles(layers, upper)
  return {
    kind: 'overlay',
    lowers: history.layers.map((id) => layerFiles(layers, id).tree),
    upper: writable,
    work,
    at: '/',
  }
}

/** The folders that the guest's files lie in, the one that is looked at first before the others. */
export function treeFolders({layers}: Pick<Paths, 'layers'>, tree: GuestTree): [string, ...string[]] {
  if (tree.kind === 'directory') return [tree.root]
  const {upper, ...history} = tree.history
  const below = [...history.layers].reverse().map((id) => layerFiles(layers, id).tree)
  return [layerFiles(layers, upper).tree, ...below]
}
