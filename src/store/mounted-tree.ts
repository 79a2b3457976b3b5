import {join} from 'node:path'
import {ignoring} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import type {Lock} from '../host/locks.js'
import type {Paths} from '../host/paths.js'
import type {TreeProcess} from '../rootfs/worker/api.js'
import {namespaceRefusedError} from '../sandbox/errors.js'
import {plainRoot, type RootMount} from '../sandbox/mounts.js'
import {enterMemory, fullMemory, type MemoryHolder, readMemory, throughMemory} from '../sandbox/tmpfs.js'
import type {Environment, EnvironmentFiles} from './environments.js'
import {tryLostError} from './errors.js'
import {type History, readHistory} from './history.js'
import {requireLayers, requireUpper} from './integrity/lost-layers.js'
import {layerFiles} from './layers.js'
import {layeredMount} from './overlay-mount.js'
import {canBeRoot, processBehind, rootProcess, toolPath, treeProcess} from './tools.js'

/** The merged tree of a guest, and the way to start programs that see it. */
export type MergedTree = {readonly process: TreeProcess; readonly root: string}

/**
 * Returns the merged tree of a stopped environment, for the worker and other programs of the host. Each program mounts the layers
 * in its own mount namespace, so no mount remains after it.
 *
 * Call under the environment's exclusive lock: a second mount of an upper layer does not see the files of the first. The programs
 * inherit the lock, because they survive when the command is killed.
 */
export async function mergedTree(
  host: Host,
  environment: Environment,
  locks: readonly Lock[],
): Promise<MergedTree> {
  const {process, root} = await mergedProcess(host, environment, await readGuestTree(environment))
  return {process: {...process, held: locks.map(({fd}) => fd)}, root}
}

/**
 * As {@link mergedTree}, for layers that need not belong to the environment.
 *
 * @throws {NamespaceRefusedError} When layers can't be mounted by programs of this host.
 * @throws {@link upperLostError} @throws {@link layerLostError}
 */
export async function mergedProcess(
  host: Host,
  {
    name,
    files,
    record,
  }: Pick<Environment, 'name'> & {
    readonly files: Pick<EnvironmentFiles, 'run'>
    readonly record: Pick<Environment['record'], 'identity'>
  },
  tree: GuestTree,
): Promise<MergedTree> {
  if (tree.kind === 'directory') {
    return {process: await treeProcess(host, record.identity), root: tree.root}
  }
  const {layers: lowers, upper} = tree.history
  const isInMemory = upperHolder({name, files}, tree.history) !== undefined
  requireTree({name, paths: host.paths}, {...tree, isInMemory})
  if (!isInMemory && !(await canBeRoot(host, record.identity))) throw namespaceRefusedError()
  const root = join(files.run, 'merged')
  await makeFolders(root, {mode: 0o700})
  const {prefix, environment} = await layersProcess(host, {name, files, record}, tree.history)
  const mounted = layeredMount(
    {lowers, upper},
    {
      layers: host.paths.layers,
      root,
      unshare: toolPath(host, 'unshare'),
      mount: toolPath(host, 'mount'),
    },
  )
  return {process: {prefix: [...prefix, ...mounted], environment}, root}
}

/** The folders that make the guest's `/`. */
export type GuestTree =
  | {readonly kind: 'directory'; readonly root: string}
  | {
      readonly kind: 'overlay'
      readonly history: History
      /** The process that holds the upper layer, when that is in memory. */
      readonly holder?: MemoryHolder
    }

/** Reads which folders make the guest's `/`. @throws {HistoryUnreadableError} */
export async function readGuestTree({
  files,
  record,
}: Pick<Environment, 'files' | 'record'>): Promise<GuestTree> {
  if (record.storage === 'directory') return {kind: 'directory', root: files.root}
  const history = await readHistory(files.history)
  const holder = readMemory(files.run, history.upper)
  return {kind: 'overlay', history, ...(holder === undefined || holder === 'lost' ? {} : {holder})}
}

/**
 * Refuses a tree with a lost layer, which would be mounted or compared without the files of the layer.
 *
 * @throws {@link upperLostError} @throws {@link layerLostError}
 */
export function requireTree(
  subject: {readonly name: string; readonly paths: Pick<Paths, 'layers'>},
  tree: GuestTree & {readonly isInMemory?: boolean},
): void {
  if (tree.kind === 'directory') return
  const {history, holder, isInMemory = holder !== undefined} = tree
  if (!isInMemory) requireUpper(subject, history)
  requireLayers(subject, history.layers)
}

/** Returns the mount of the guest's `/`. */
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

/** Returns the folders that contain the guest's files, in the order of lookup. */
export function treeFolders({layers}: Pick<Paths, 'layers'>, tree: GuestTree): [string, ...string[]] {
  if (tree.kind === 'directory') return [tree.root]
  const {upper, ...history} = tree.history
  const below = [...history.layers].reverse().map((id) => layerFiles(layers, id).tree)
  const {tree: writable} = layerFiles(layers, upper)
  return [tree.holder === undefined ? writable : throughMemory(tree.holder, writable), ...below]
}

type EnvironmentWithUpper = {
  readonly name: string
  readonly files: Pick<EnvironmentFiles, 'run'>
  readonly record: Pick<Environment['record'], 'identity'>
}

/** Returns the process that holds the upper layer in memory; undefined for a layer on disk. @throws {@link tryLostError} */
export function upperHolder(
  {name, files}: Pick<EnvironmentWithUpper, 'name' | 'files'>,
  {upper}: Pick<History, 'upper'>,
): MemoryHolder | undefined {
  const holder = readMemory(files.run, upper)
  if (holder === 'lost') throw tryLostError({name})
  return holder
}

/** Returns the way to start programs that see all layers, as root of the environment's user namespace. @throws {@link tryLostError} */
export async function layersProcess(
  host: Host,
  subject: EnvironmentWithUpper,
  history: Pick<History, 'upper'>,
): Promise<TreeProcess> {
  const holder = upperHolder(subject, history)
  if (holder === undefined) return rootProcess(host, subject.record.identity)
  return processBehind(host, enterMemory(holder, toolPath(host, 'nsenter')))
}

/** Returns the bytes of memory that the environment may use, when nearly all are used; undefined otherwise. */
export async function fullUpper(
  {paths}: Pick<Host, 'paths'>,
  {files, record}: Environment,
): Promise<number | undefined> {
  if (record.storage !== 'overlay') return undefined
  const {upper} = await readHistory(files.history)
  const holder = readMemory(files.run, upper)
  if (holder === undefined || holder === 'lost') return undefined
  return fullMemory(holder, layerFiles(paths.layers, upper).folder)
}

/** Returns whether the environment's changes were in memory and are lost. */
export async function isLost(files: Pick<EnvironmentFiles, 'run' | 'history'>): Promise<boolean> {
  const history = await readHistory(files.history).catch(ignoring('ENOENT'))
  return history !== undefined && readMemory(files.run, history.upper) === 'lost'
}
