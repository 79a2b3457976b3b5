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
import {layerFiles} from './layers.js'
import {layeredMount} from './overlay-mount.js'
import {canBeRoot, processBehind, rootProcess, toolPath, treeProcess} from './tools.js'

/** A guest's tree as one, and how programs are started that see it. */
export type MergedTree = {readonly process: TreeProcess; readonly root: string}

/**
 * The whole tree of an environment at rest, for the worker and other programs of the host. Layers are mounted on top of
 * each other in a mount namespace of the program's own, so nothing is left behind.
 *
 * To be used under the environment's exclusive lock: a second mount of an upper layer would not see the first one's files.
 * What is started has the lock too, for it goes on when the command is killed.
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
 * As {@link mergedTree}, of layers that need not be the environment's own.
 *
 * @throws {NamespaceRefusedError} When layers can't be mounted by programs of this host.
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

type MemoryUpperSubject = {
  readonly name: string
  readonly files: Pick<EnvironmentFiles, 'run'>
  readonly record: Pick<Environment['record'], 'identity'>
}

/** Who holds the layer that an environment writes to, where that is in memory. @throws {@link tryLostError} */
export function upperHolder(
  {name, files}: Pick<MemoryUpperSubject, 'name' | 'files'>,
  {upper}: Pick<History, 'upper'>,
): MemoryHolder | undefined {
  const holder = readMemory(files.run, upper)
  if (holder === 'lost') throw tryLostError({name})
  return holder
}

/** How programs are started that see all layers of an environment, as root of its user namespace. @throws {@link tryLostError} */
export async function layersProcess(
  host: Host,
  subject: MemoryUpperSubject,
  history: Pick<History, 'upper'>,
): Promise<TreeProcess> {
  const holder = upperHolder(subject, history)
  if (holder === undefined) return rootProcess(host, subject.record.identity)
  return processBehind(host, enterMemory(holder, toolPath(host, 'nsenter')))
}

/** How much memory the environment was given, where hardly any of it is left. */
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

/** Whether what it wrote was in memory, and that is gone: nothing of it can be had any more. */
export async function isLost(files: Pick<EnvironmentFiles, 'run' | 'history'>): Promise<boolean> {
  const history = await readHistory(files.history).catch(ignoring('ENOENT'))
  return history !== undefined && readMemory(files.run, history.upper) === 'lost'
}
