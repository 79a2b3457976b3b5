import {join} from 'node:path'
import type {Lock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import type {TreeProcess} from '../rootfs/tree-process.js'
import {namespaceRefusedError} from '../sandbox/errors.js'
import {layeredMount} from '../storage/layered-mount.js'
import {type GuestTree, readGuestTree} from './guest-tree.js'
import {layersProcess, upperHolder} from './memory-upper.js'
import type {Environment, EnvironmentFiles} from './store.js'
import {canBeRoot, toolPath, treeProcess} from './toolbox.js'

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
