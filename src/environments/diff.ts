import {defineError, ExitCode} from '../errors.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {compareTrees, type OwnFile, type TreeDifference} from '../rootfs/worker/api.js'
import {type Environment, findEnvironment, listNames} from '../store/environments.js'
import {findSnapshot} from '../store/history.js'
import {
  type ImageLayerRecord,
  identityOf,
  type LayerId,
  layerFiles,
  listLayers,
  readLayerRecord,
} from '../store/layers.js'
import {holdLayers, lockEnvironment} from '../store/locks.js'
import {
  type GuestTree,
  layersProcess,
  readGuestTree,
  requireTree,
  treeFolders,
} from '../store/mounted-tree.js'
import type {EnvironmentRecord} from '../store/record.js'
import {rootProcess} from '../store/tools.js'
import {SLOTS} from './create/own-files.js'
import {requireSnapshot} from './snapshots/restore.js'
import {withoutHistory} from './snapshots/without-history.js'

/** The state that an environment is compared with. */
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

type DiffOptions = {
  /** Whether the result lists every file that differs. */
  readonly listsAll: boolean
  readonly signal: AbortSignal
}

/**
 * Compares an environment with its image, one of its snapshots or another environment. Reads the files on the disk, also of a
 * running environment.
 *
 * @param text - Name of the environment.
 * @throws {EnvironmentNotFoundError} @throws {@link snapshotNotFoundError} @throws {@link noHistoryError}
 * @throws {@link noImageTreeError} @throws {@link environmentBusyError} @throws {@link layersBusyError}
 */
export async function diffEnvironment(
  host: Host,
  text: string,
  typed: DiffTarget,
  options: DiffOptions,
): Promise<EnvironmentDifference> {
  const target = await meantTarget(host.paths, text, typed)
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

/** Returns another environment where its name was given as a label, and no snapshot has that label. */
async function meantTarget(paths: Paths, text: string, typed: DiffTarget): Promise<DiffTarget> {
  if (typed.kind !== 'snapshot') return typed
  const tree = await readGuestTree(await findEnvironment(paths, text))
  if (tree.kind === 'overlay' && findSnapshot(tree.history, typed.label) !== undefined) return typed
  return (await listNames(paths)).some((name) => name === typed.label)
    ? {kind: 'environment', name: typed.label}
    : typed
}

async function compare(
  host: Host,
  environment: Environment,
  target: DiffTarget,
  {listsAll, signal}: DiffOptions,
): Promise<EnvironmentDifference> {
  const {name, record} = environment
  const tree = await readGuestTree(environment)
  requireTree({name, paths: host.paths}, tree)
  const before = await openTarget(host, environment, tree, target)
  // Root of the subordinate range sees the user's own files as root's as well, so it can read both identities.
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
  host: Host,
  {name, record}: Environment,
  tree: GuestTree,
  target: DiffTarget,
): Promise<OpenedTarget> {
  const {paths} = host
  const {identity, image} = record
  switch (target.kind) {
    case 'image': {
      const folder = await findImageTree(paths, tree, record)
      if (folder === undefined) throw noImageTreeError({name, image: image.name ?? image.source})
      return {name: image.name ?? image.source, folders: [folder], identity, trees: []}
    }
    case 'snapshot': {
      if (tree.kind === 'directory') throw await withoutHistory(host, {name, record})
      const {label, layers} = requireSnapshot(name, tree.history, target.label)
      const folders = [...layers].reverse().map((id) => layerFiles(paths.layers, id).tree)
      return {name: label, folders, identity, trees: []}
    }
    case 'environment': {
      const other = await findEnvironment(paths, target.name)
      const otherTree = await readGuestTree(other)
      requireTree({name: other.name, paths}, otherTree)
      return {
        name: other.name,
        folders: treeFolders(paths, otherTree),
        identity: other.record.identity,
        trees: [otherTree],
      }
    }
  }
}

/** @public The unpacked image of an environment was removed, so a comparison with it is impossible. */
export const noImageTreeError = defineError('ENVS_NO_IMAGE_TREE', ExitCode.notFound, {
  message: 'Could not compare "{name}" with its image: the unpacked image is no longer on this host.',
  nextStep:
    'Create another environment from the image and compare with that: envs create {image} --name fresh, then envs diff {name} --with fresh',
})

type ImageOrigin = Pick<EnvironmentRecord, 'image' | 'identity'>

/**
 * Returns the folder with the unpacked files of an environment's image.
 *
 * @returns Undefined where the store has no layer of that image.
 */
async function findImageTree(
  paths: Paths,
  tree: GuestTree,
  origin: ImageOrigin,
): Promise<string | undefined> {
  const [found] = await imageLayers(paths, [tree], origin)
  return found && layerFiles(paths.layers, found.id).tree
}

/** Returns the personal files that envs writes into each environment on the image of one of these trees. */
async function ownFilesOf(
  paths: Paths,
  trees: readonly GuestTree[],
  origin: ImageOrigin,
): Promise<OwnFile[]> {
  const layers = await imageLayers(paths, trees, origin)
  const plans = new Map(layers.flatMap(({record}) => record.personal).map((file) => [file.path, file]))
  return [...plans.values()].map(ownFileOf)
}

/** Returns the parts of a personal file around the environment's own values. */
export function ownFileOf({path, content}: ImageLayerRecord['personal'][number]): OwnFile {
  const parts = Buffer.from(content, 'base64')
    .toString('latin1')
    .split(SLOTS.name)
    .flatMap((part) => part.split(SLOTS.machineId))
  return {path, parts}
}

type ImageLayer = {readonly id: LayerId; readonly record: ImageLayerRecord}

/** Returns the image layers below the trees; for trees without layers, the layers of the same image. */
async function imageLayers(
  paths: Paths,
  trees: readonly GuestTree[],
  origin: ImageOrigin,
): Promise<ImageLayer[]> {
  const bases = trees.flatMap((tree) => (tree.kind === 'overlay' ? [tree.history.layers[0]] : []))
  const own = await readLayers(paths, [...new Set(bases)])
  if (own.length > 0) return own
  const ids = (await listLayers(paths.layers)).filter((id) => identityOf(id) === origin.identity)
  const all = await readLayers(paths, ids)
  return all.filter(({record}) => record.sha256 === origin.image.sha256)
}

async function readLayers(paths: Paths, ids: readonly LayerId[]): Promise<ImageLayer[]> {
  const read = await Promise.all(
    ids.map(async (id) => ({id, record: await readLayerRecord(layerFiles(paths.layers, id).record)})),
  )
  return read.flatMap(({id, record}) => (record === undefined ? [] : [{id, record}]))
}
