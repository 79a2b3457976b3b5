import type {Paths} from '../host/paths.js'
import {type MemoryHolder, throughMemory} from '../sandbox/memory.js'
import {readMemory} from '../sandbox/memory-state.js'
import {plainRoot, type RootMount} from '../sandbox/mounts.js'
import type {History} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import type {Environment} from './store.js'

/** What the guest's `/` is made of. */
export type GuestTree =
  | {readonly kind: 'directory'; readonly root: string}
  | {
      readonly kind: 'overlay'
      readonly history: History
      /** Where the layer that is written to lies in memory: who holds it. */
      readonly holder?: MemoryHolder
    }

type Subject = Pick<Environment, 'files' | 'record'>

/** @throws {HistoryUnreadableError} */
export async function readGuestTree({files, record}: Subject): Promise<GuestTree> {
  if (record.storage === 'directory') return {kind: 'directory', root: files.root}
  const history = await readHistory(files.history)
  const holder = readMemory(files.run, history.upper)
  return {kind: 'overlay', history, ...(holder === undefined || holder === 'lost' ? {} : {holder})}
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
  const {tree: writable} = layerFiles(layers, upper)
  return [tree.holder === undefined ? writable : throughMemory(tree.holder, writable), ...below]
}
