import {memoryFor} from '../features/memory-support.js'
import {moveUpperIntoMemory} from '../features/start-in-memory.js'
import type {Lock} from '../host/flock.js'
import {availableMemory} from '../host/memory.js'
import type {OpenedImage} from '../images/opened-image.js'
import {dropMemory} from '../sandbox/memory-state.js'
import {layerFiles} from '../storage/layer-files.js'
import {type LayerId, newLayerId} from '../storage/layer-id.js'
import {type ImageLayer, openImageLayer} from './image-layer.js'
import {removeLayerFolder} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import type {NewTree, NewTreePlan, SettledTree} from './new-tree.js'
import {stackOn} from './stacked-environment.js'
import {filesIn} from './store.js'
import {KEPT_FOR_MS} from './tries.js'
import type {Unpacked, UnpackProgress} from './unpack.js'

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
