import {randomBytes} from 'node:crypto'
import {copyFileSync, mkdirSync} from 'node:fs'
import {memoryFor, moveUpperIntoMemory} from '../../features/memory-files.js'
import {unlessErrno} from '../../host/errno.js'
import {makeFolders, syncAhead, syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {availableMemory} from '../../host/proc.js'
import type {OpenedImage} from '../../images/opened-image.js'
import {measureTrees, settleTree, type TreeNote} from '../../rootfs/worker/api.js'
import type {Identity} from '../../sandbox/identity.js'
import {dropMemory} from '../../sandbox/tmpfs.js'
import {type EnvironmentName, filesIn} from '../../store/environments.js'
import {layerLedger, removeLayerFolder} from '../../store/gc.js'
import {newHistory, writeHistory} from '../../store/history.js'
import {type LayerId, layerFiles, makeUpper, newLayerId} from '../../store/layers.js'
import {holdLayers} from '../../store/locks.js'
import {treeProcess} from '../../store/tools.js'
import type {FreshTree} from '../bootstrap/build.js'
import {KEPT_FOR_MS} from '../try/tries.js'
import {type ImageLayer, openImageLayer} from './image-layer.js'
import {newTreeFacts, writePersonalFiles} from './own-files.js'
import type {CreateRequest} from './request.js'
import {type Unpacked, type UnpackProgress, unpackImage} from './unpack.js'

/** A layer of the environment's own over the image's. */
export class NewLayeredTree implements NewTree {
  #holding: Promise<Lock> | undefined
  #image: ImageLayer | undefined
  #onDisk: Promise<void> | undefined
  readonly #uppers: LayerId[] = []

  /** @param holding - The lock of the layers, where it is on its way already. */
  constructor(
    private readonly plan: NewTreePlan,
    holding: Promise<Lock> | undefined,
  ) {
    this.#holding = holding
  }

  prepare(): void {
    this.#holding ??= holdLayers(this.plan.host.paths)
    // Whoever unpacks is told.
    this.#holding.catch(() => {})
  }

  async unpack(image: OpenedImage, onProgress: (event: UnpackProgress) => void): Promise<Unpacked> {
    const {host, request, identity, signal, takeTree} = this.plan
    const {archives, isSynced} = request
    this.prepare()
    await this.#holding
    const options = {identity, archives, isSynced, signal, onProgress, takeTree}
    const {layer, unpacked} = await openImageLayer(host, image, options)
    this.#image = layer
    return unpacked
  }

  async settle(): Promise<SettledTree> {
    const {host, request, identity, partial} = this.plan
    const image = this.#image
    if (image === undefined) throw new Error('settle comes after unpack')
    const {name, isSynced} = request
    const {folder, history, ledger} = filesIn(partial)
    const upper = newLayerId(identity)
    this.#uppers.push(upper)
    const {onDisk} = await stackOn(host, image, {upper, folder, history, ledger, name, isSynced})
    this.#onDisk = onDisk
    const inMemory = await this.#intoMemory()
    return {sizeBytes: 0, layer: inMemory ?? upper, notes: image.record.notes}
  }

  /** A layer in memory over that one, where one is wanted and can be had. */
  async #intoMemory(): Promise<LayerId | undefined> {
    const {host, request, identity, partial} = this.plan
    const {memory, name} = request
    if (memory === undefined) return undefined
    const bytes = await memoryFor(host, identity, {...memory, freeBytes: availableMemory()})
    if (bytes === undefined) return undefined
    const upper = await moveUpperIntoMemory(host, {
      name,
      files: filesIn(partial),
      bytes,
      keptForMs: KEPT_FOR_MS,
    })
    if (upper !== undefined) this.#uppers.push(upper)
    return upper
  }

  async onDisk(): Promise<void> {
    await this.#onDisk
  }

  async discard(): Promise<void> {
    const {host, identity, partial} = this.plan
    await this.#onDisk?.catch(() => {})
    await dropMemory(filesIn(partial).run)
    for (const upper of this.#uppers)
      await removeLayerFolder(host, {identity, folder: layerFiles(host.paths.layers, upper).folder})
  }

  async close(): Promise<void> {
    await this.#holding?.then(
      (lock) => lock.release(),
      () => {},
    )
  }
}

/** What the files of a new environment are made from, and where. */
export type NewTreePlan = {
  readonly host: Host
  readonly request: CreateRequest
  readonly identity: Identity
  /** The folder that becomes the environment. */
  readonly partial: string
  readonly signal: AbortSignal
  /** Takes the tree that the image was just made of, where there is one. */
  readonly takeTree: () => FreshTree | undefined
}

export type SettledTree = {
  readonly sizeBytes: number
  /** What it writes to, where that is a layer. */
  readonly layer?: LayerId
  /** What is worth telling of the tree. */
  readonly notes: readonly TreeNote[]
}

/** The files of an environment that is being made, as its storage keeps them. `close` must be called. */
export type NewTree = {
  /** Says that the image is here: what has to be waited for can begin. */
  prepare(): void
  /** Unpacks the image, unless that was done for another environment. @throws As `unpackImage`. */
  unpack(image: OpenedImage, onProgress: (event: UnpackProgress) => void): Promise<Unpacked>
  /** Makes of it what is the environment's own, in `partial`. */
  settle(): Promise<SettledTree>
  /** Settles when what lies elsewhere is on the disk, if that is asked for. */
  onDisk(): Promise<void>
  /** Takes away what lies elsewhere. */
  discard(): Promise<void>
  close(): Promise<void>
}

type Place = Pick<ReturnType<typeof filesIn>, 'folder' | 'history' | 'ledger'> & {readonly upper: LayerId}

/**
 * Puts an empty layer over an image's, with the files that are the environment's own: all a new environment needs.
 *
 * What is written into `folder` is not on the disk: the whole of it is, before it becomes an environment.
 *
 * @param place.upper - The new layer; to be removed if the environment does not come to be, and where this fails.
 * @returns When the layer's files are on the disk, if that is asked for: nothing else need wait for it.
 */
async function stackOn(
  {paths}: Pick<Host, 'paths'>,
  {id, record}: ImageLayer,
  {upper, folder, history, ledger, name, isSynced}: Place & {name: EnvironmentName; isSynced: boolean},
): Promise<{readonly onDisk: Promise<void>}> {
  await makeUpper(paths.layers, upper, {below: id})
  const machineId = randomBytes(16).toString('hex')
  const facts = {name, machineId, isSynced}
  const onDisk = writePersonalFiles(layerFiles(paths.layers, upper).tree, record.personal, facts)
  onDisk.catch(() => {})
  mkdirSync(folder, {mode: 0o700})
  unlessErrno(() => copyFileSync(layerLedger(layerFiles(paths.layers, id).folder), ledger), 'ENOENT')
  await writeHistory(history, newHistory(id, upper), {isSynced: false})
  return {onDisk}
}

/** A whole tree of the environment's own. */
export function newPlainTree({host, request, identity, partial, signal}: NewTreePlan): NewTree {
  const {name, archives, isSynced} = request
  const {root, ledger} = filesIn(partial)
  let unpackedBytes = 0
  return {
    prepare() {},

    async unpack(image, onProgress) {
      await makeFolders(root, {mode: 0o700})
      const owners = identity === 'mapped' ? 'keep' : 'caller'
      const target = {tree: await treeProcess(host, identity), root, owners, ledger} as const
      const unpacked = await unpackImage(image, target, {isSynced, signal, onProgress})
      unpackedBytes = unpacked.report.totalBytes
      return unpacked
    },

    async settle() {
      const facts = newTreeFacts(host, {name, identity, archives})
      const ahead = isSynced ? syncAhead(root, unpackedBytes) : undefined
      const tree = await treeProcess(host, identity)
      const [{notes}] = await Promise.all([settleTree(tree, {root, facts, planned: []}), ahead])
      // Else a power cut could leave a record that vouches for files the disk never saw.
      const onDisk = isSynced ? syncFileSystem(root) : undefined
      const [[sizeBytes = 0]] = await Promise.all([measureTrees(tree, [root]), onDisk])
      return {sizeBytes, notes}
    },

    async onDisk() {},
    async discard() {},
    async close() {},
  }
}
