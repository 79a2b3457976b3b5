import {randomBytes} from 'node:crypto'
import {copyFileSync, mkdirSync} from 'node:fs'
import {memoryFor, moveUpperIntoMemory} from '../../features/memory-files.js'
import {unlessErrno} from '../../host/errno.js'
import {makeFolders, syncAhead, syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {availableMemory} from '../../host/machine/proc.js'
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

/** A tree of layers: an upper layer for the environment over the layer of the image. */
export class NewLayeredTree implements NewTree {
  #holding: Promise<Lock> | undefined
  #image: ImageLayer | undefined
  #onDisk: Promise<void> | undefined
  readonly #uppers: LayerId[] = []
  /** Set while the upper layer is in memory. */
  #outlive: (() => void) | undefined

  /** @param holding - The lock of the layers, if it is being acquired already. */
  constructor(
    private readonly plan: NewTreePlan,
    holding: Promise<Lock> | undefined,
  ) {
    this.#holding = holding
  }

  prepare(): void {
    this.#holding ??= holdLayers(this.plan.host.paths)
    // `unpack` awaits the lock and receives the error.
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
    const inMemory = await this.#moveIntoMemory()
    return {sizeBytes: 0, layer: inMemory ?? upper, notes: image.record.notes}
  }

  /** Moves the upper layer into memory, if requested and possible. @returns The new upper layer. */
  async #moveIntoMemory(): Promise<LayerId | undefined> {
    const {host, request, identity, partial} = this.plan
    const {memory, name} = request
    if (memory === undefined) return undefined
    const bytes = await memoryFor(host, identity, {...memory, freeBytes: availableMemory()})
    if (bytes === undefined) return undefined
    const inMemory = await moveUpperIntoMemory(host, {
      name,
      files: filesIn(partial),
      bytes,
      keptForMs: KEPT_FOR_MS,
    })
    if (inMemory === undefined) return undefined
    this.#uppers.push(inMemory.upper)
    this.#outlive = inMemory.outlive
    return inMemory.upper
  }

  outlive(): void {
    this.#outlive?.()
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

/** The inputs for the tree of a new environment. */
export type NewTreePlan = {
  readonly host: Host
  readonly request: CreateRequest
  readonly identity: Identity
  /** The folder that becomes the environment. */
  readonly partial: string
  readonly signal: AbortSignal
  /** Takes over the tree that the image was just made from, if there is one. */
  readonly takeTree: () => FreshTree | undefined
}

export type SettledTree = {
  readonly sizeBytes: number
  /** The upper layer, for the storage overlay. */
  readonly layer?: LayerId
  /** Notes about the tree for the user. */
  readonly notes: readonly TreeNote[]
}

/** The tree of a new environment, in the form of its storage. The caller must call `close`. */
export type NewTree = {
  /** Begins to acquire locks; called when the image is in the cache. */
  prepare(): void
  /** Extracts the image, unless its layer exists already. @throws As `unpackImage`. */
  unpack(image: OpenedImage, onProgress: (event: UnpackProgress) => void): Promise<Unpacked>
  /** Applies the fixes and writes the files of the environment into `partial`. */
  settle(): Promise<SettledTree>
  /** Resolves when the files outside of `partial` are on disk, if a sync is requested. */
  onDisk(): Promise<void>
  /** Lets files in memory outlive this process: until then they are not worth keeping. */
  outlive(): void
  /** Removes the files outside of `partial`. */
  discard(): Promise<void>
  close(): Promise<void>
}

type StackTarget = Pick<ReturnType<typeof filesIn>, 'folder' | 'history' | 'ledger'> & {
  readonly upper: LayerId
}

/**
 * Stacks a new upper layer, with the personal files of the environment, on the layer of an image.
 *
 * The files in `folder` are not synced here: the caller syncs the whole folder before it publishes the environment.
 *
 * @param target.upper - The new layer. The caller removes it if the environment is not published, and if this fails.
 * @returns `onDisk` resolves when the files of the layer are on disk, if a sync is requested. No other step needs to wait.
 */
async function stackOn(
  {paths}: Pick<Host, 'paths'>,
  {id, record}: ImageLayer,
  {upper, folder, history, ledger, name, isSynced}: StackTarget & {name: EnvironmentName; isSynced: boolean},
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

/** Creates a tree for the storage directory: one complete copy of the image. */
export function newPlainTree({host, request, identity, partial, signal}: NewTreePlan): NewTree {
  const {name, archives, isSynced} = request
  const {root, ledger} = filesIn(partial)
  let unpackedBytes = 0
  return {
    prepare() {},

    async unpack(image, onProgress) {
      if ('container' in image) {
        const {copyContainer} = await import('./container-copy.js')
        const unpacked = await copyContainer(host, image, {
          root,
          ledger,
          identity,
          isSynced,
          signal,
          onProgress,
        })
        unpackedBytes = unpacked.report.totalBytes
        return unpacked
      }
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
      // Without this, a power cut could leave a record of files that never reached the disk.
      const onDisk = isSynced ? syncFileSystem(root) : undefined
      const [[sizeBytes = 0]] = await Promise.all([measureTrees(tree, [root]), onDisk])
      return {sizeBytes, notes}
    },

    async onDisk() {},
    outlive() {},
    async discard() {},
    async close() {},
  }
}
