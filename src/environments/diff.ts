import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {compareTrees, type TreeDifference} from '../rootfs/tree-process.js'
import {layerFiles} from '../storage/layer-files.js'
import {noImageTreeError} from './diff-errors.js'
import {findImageTree, ownFilesOf} from './diff-image.js'
import {type GuestTree, readGuestTree, treeFolders} from './guest-tree.js'
import {holdLayers} from './layer-locks.js'
import {lockEnvironment} from './locks.js'
import {layersProcess} from './memory-upper.js'
import {requireSnapshot} from './restore.js'
import {noHistoryError} from './snapshot-errors.js'
import {type Environment, findEnvironment} from './store.js'
import {rootProcess} from './toolbox.js'

/** What an environment is compared with. */
export type DiffTarget =
  | {readonly kind: 'image'}
  | {readonly kind: 'snapshot'; readonly label: string}
  | {readonly kind: 'environment'; readonly name: string}

export type EnvironmentDifference = Omit<TreeDifference, 'privileged'> & {
  readonly name: string
  readonly against: {readonly kind: DiffTarget['kind']; readonly name: string}
  readonly privileged: readonly (Omit<TreeDifference['privileged'][number], 'mode'> & {
    /** Octal, with setuid, setgid and sticky. */
    readonly mode: string
  })[]
}

type Options = {
  /** Whether every file that differs is listed. */
  readonly listsAll: boolean
  readonly signal: AbortSignal
}

/**
 * What has changed in an environment since a point in time, or what it has that another has not. Files are read as they lie
 * on disk, whether it runs or not.
 *
 * @param text - Its name.
 * @throws {EnvironmentNotFoundError} @throws {@link snapshotNotFoundError} @throws {@link noHistoryError}
 * @throws {@link noImageTreeError} @throws {@link environmentBusyError} @throws {@link layersBusyError}
 */
export async function diffEnvironment(
  host: Host,
  text: string,
  target: DiffTarget,
  options: Options,
): Promise<EnvironmentDifference> {
  const names = [text, ...(target.kind === 'environment' ? [target.name] : [])]
  const found = await Promise.all(names.map((name) => findEnvironment(host.paths, name)))
  const locks = []
  try {
    for (const name of new Set(found.map((each) => each.name)))
      locks.push(await lockEnvironment(host.paths, name, 'shared'))
    locks.push(await holdLayers(host.paths))
    return await compare(host, await findEnvironment(host.paths, text), target, options)
  } finally {
    for (const lock of locks) lock.release()
  }
}

async function compare(
  host: Host,
  environment: Environment,
  target: DiffTarget,
  {listsAll, signal}: Options,
): Promise<EnvironmentDifference> {
  const {name, record} = environment
  const tree = await readGuestTree(environment)
  const before = await openTarget(host.paths, environment, tree, target)
  // Root of the subordinate range sees files of the user's own as root's too.
  const identity = before.identity === 'mapped' ? 'mapped' : record.identity
  const {privileged, ...difference} = await compareTrees(
    tree.kind === 'overlay' && identity === record.identity
      ? await layersProcess(host, environment, tree.history)
      : await rootProcess(host, identity),
    {
      before: before.folders,
      after: treeFolders(host.paths, tree),
      own: await ownFilesOf(host.paths, [tree, ...before.trees], record),
      isSinceImage: target.kind === 'image',
      ownersCount: before.identity === record.identity,
      listsAll,
    },
    {signal},
  )
  return {
    name,
    against: {kind: target.kind, name: before.name},
    ...difference,
    privileged: privileged.map(({mode, ...file}) => ({...file, mode: mode.toString(8).padStart(4, '0')})),
  }
}

type OpenedTarget = {
  readonly name: string
  readonly folders: readonly string[]
  readonly identity: Environment['record']['identity']
  readonly trees: readonly GuestTree[]
}

async function openTarget(
  paths: Paths,
  {name, record}: Environment,
  tree: GuestTree,
  target: DiffTarget,
): Promise<OpenedTarget> {
  const {identity, image} = record
  switch (target.kind) {
    case 'image': {
      const folder = await findImageTree(paths, tree, record)
      if (folder === undefined) throw noImageTreeError({name, image: image.name ?? image.source})
      return {name: image.name ?? image.source, folders: [folder], identity, trees: []}
    }
    case 'snapshot': {
      if (tree.kind === 'directory') throw noHistoryError({name, image: image.name ?? 'IMAGE'})
      const {label, layers} = requireSnapshot(name, tree.history, target.label)
      const folders = [...layers].reverse().map((id) => layerFiles(paths.layers, id).tree)
      return {name: label, folders, identity, trees: []}
    }
    case 'environment': {
      const other = await findEnvironment(paths, target.name)
      const otherTree = await readGuestTree(other)
      return {
        name: other.name,
        folders: treeFolders(paths, otherTree),
        identity: other.record.identity,
        trees: [otherTree],
      }
    }
  }
}
