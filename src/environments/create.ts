import {mkdir} from 'node:fs/promises'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {capture} from '../host/process.js'
import {openImage} from '../images/open-image.js'
import type {OpenedImage} from '../images/opened-image.js'
import type {Resolution} from '../images/resolve-image.js'
import {
  applyFixes,
  type ExtractProgress,
  type ExtractReport,
  measureTrees,
  type TreeNote,
} from '../rootfs/tree-process.js'
import {chooseIdentity, type Identity} from '../sandbox/ids/identity.js'
import {layerFiles} from '../storage/layer-files.js'
import type {LayerId} from '../storage/layer-id.js'
import type {CreateRequest} from './create-request.js'
import {EnvironmentExistsError} from './errors.js'
import {type ImageLayer, openImageLayer} from './image-layer.js'
import {removeLayerFolder} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import {sweepLayers} from './layer-sweep.js'
import {leftoverFolder, removeLeftover, sweepLeftovers} from './leftovers.js'
import {lockEnvironment} from './locks.js'
import type {EnvironmentName} from './name.js'
import {newRecord} from './new-record.js'
import {chooseStorage} from './overlay-support.js'
import {sweepPackages} from './package-sweep.js'
import {type EnvironmentRecord, readRecord, writeRecord} from './record.js'
import {stackOn} from './stacked-environment.js'
import {environmentFiles, filesIn, makeStore, moveIntoPlace} from './store.js'
import {sessionLauncher, toolPath, treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'
import {markTry} from './tries.js'
import {sweepTries} from './try-sweep.js'
import {type Unpacked, unpackImage} from './unpack.js'
import {recordUsage} from './usage.js'

/** What a creation tells of while the image comes. */
export type FetchHooks = {
  readonly onProgress: (event: DownloadEvent) => void
  /** What a name stands for, once that is known. */
  readonly onResolved: (resolution: Resolution) => void
}

/**
 * The making of one environment, step by step so that a caller can show them: fetch, extract, publish.
 *
 * Until `publish` returns there is no environment; `close` must be called, and takes an unfinished one away.
 */
export class Creation {
  readonly #host: Host
  readonly #request: CreateRequest
  readonly #signal: AbortSignal
  readonly #lock: Lock
  readonly #partial: string
  readonly identity: Identity
  readonly storage: EnvironmentRecord['storage']
  #image: OpenedImage | undefined
  #unpacked: Unpacked | undefined
  #layersLock: Lock | undefined
  #layer: ImageLayer | undefined
  #upper: LayerId | undefined
  #isPublished = false
  #notes: readonly TreeNote[] = []

  private constructor(
    host: Host,
    request: CreateRequest,
    held: {signal: AbortSignal; lock: Lock; identity: Identity; storage: EnvironmentRecord['storage']},
  ) {
    this.#host = host
    this.#request = request
    this.#signal = held.signal
    this.#lock = held.lock
    this.identity = held.identity
    this.storage = held.storage
    this.#partial = leftoverFolder(host.paths, {kind: 'partial', identity: held.identity, name: request.name})
  }

  /** @throws {EnvironmentExistsError} @throws {EnvironmentBusyError} @throws {IdentityUnavailableError} */
  static async begin(host: Host, request: CreateRequest, {signal}: {signal: AbortSignal}): Promise<Creation> {
    await makeStore(host.paths)
    await sweepLeftovers(host)
    await sweepTries(host)
    await sweepPackages(host)
    await sweepLayers(host)
    const lock = await lockEnvironment(host.paths, request.name, 'exclusive')
    try {
      if ((await readRecord(environmentFiles(host.paths, request.name).record)) !== undefined) {
        throw new EnvironmentExistsError(
          request.name,
          `Choose another name with --name, or remove it first: envs rm ${request.name}`,
        )
      }
      // What an environment can't do without is looked for before a download, not after it.
      toolPath(host, 'bwrap')
      sessionLauncher(host)
      const identity = await chooseIdentity(request.identity, host)
      const storage = await chooseStorage(request.storage, host, identity)
      return new Creation(host, request, {signal, lock, identity, storage})
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Gets hold of the image: finds it, and waits for the first of what has to be downloaded. */
  async fetch(hooks: FetchHooks): Promise<void> {
    const {reference, sha256, context, standardInput} = this.#request
    const {paths, architecture} = this.#host
    this.#image = await openImage(reference, {
      sha256,
      cacheFolder: paths.cache,
      images: paths.images,
      architecture,
      context: {...context, signal: this.#signal},
      standardInput,
      ...hooks,
    })
  }

  /** Unpacks the image where no command looks, and checks its digest before anything of it is used. */
  async extract(onProgress: (event: ExtractProgress) => void): Promise<void> {
    const image = this.#image
    if (image === undefined) throw new Error('extract comes after fetch')
    if (this.storage === 'overlay') return this.#openLayer(image, onProgress)
    const {root, ledger} = filesIn(this.#partial)
    await mkdir(root, {recursive: true, mode: 0o700})
    const owners = this.identity === 'mapped' ? 'keep' : 'caller'
    const target = {tree: await this.#tree, root, owners, ledger} as const
    this.#unpacked = await unpackImage(image, target, {signal: this.#signal, onProgress})
  }

  /** The layer of the image, unpacked unless an environment before had it unpacked. */
  async #openLayer(image: OpenedImage, onProgress: (event: ExtractProgress) => void): Promise<void> {
    const {archives, isSynced} = this.#request
    this.#layersLock = await holdLayers(this.#host.paths)
    const {layer, unpacked} = await openImageLayer(this.#host, image, {
      identity: this.identity,
      archives,
      isSynced,
      signal: this.#signal,
      onProgress,
    })
    this.#layer = layer
    this.#unpacked = unpacked
    this.#notes = layer.record.notes
  }

  /** Applies the fixes and makes the environment appear under its name, whole. */
  async publish(): Promise<void> {
    const {name} = this.#request
    const unpacked = this.#unpacked
    if (unpacked === undefined) throw new Error('publish comes after extract')
    const partial = filesIn(this.#partial)
    const usage = this.#layer === undefined ? await this.#settle() : await this.#stack(this.#layer)
    await mkdir(partial.run, {mode: 0o700})
    await recordUsage(this.#partial, {...usage, measuredAt: this.#host.now()})
    if (this.#request.isThrowaway === true) await markTry(this.#partial)
    const {identity, storage} = this
    const origin = {identity, storage, source: this.#image?.source ?? '-'}
    await writeRecord(partial.record, newRecord(unpacked, this.#host, origin))
    this.#signal.throwIfAborted()
    const {paths} = this.#host
    await moveIntoPlace(paths, this.#partial, environmentFiles(paths, name))
    this.#isPublished = true
  }

  /** A layer of its own over the image's. */
  async #stack(layer: ImageLayer): Promise<{sizeBytes: number; layer: LayerId}> {
    const {name, isSynced} = this.#request
    const {folder, history, ledger} = filesIn(this.#partial)
    this.#upper = await stackOn(this.#host, layer, {folder, history, ledger, name, isSynced})
    return {sizeBytes: 0, layer: this.#upper}
  }

  /** A whole tree of its own. */
  async #settle(): Promise<{sizeBytes: number}> {
    const {name, archives, isSynced} = this.#request
    const {root} = filesIn(this.#partial)
    const facts = newTreeFacts(this.#host, {name, identity: this.identity, archives})
    const {notes} = await applyFixes(await this.#tree, {root, facts})
    this.#notes = notes
    // Else a power cut could leave a record that vouches for files the disk never saw.
    const synced = isSynced ? capture(['sync', '-f', root]) : undefined
    const [sizeBytes] = await Promise.all([this.#measure(), synced])
    return {sizeBytes}
  }

  async close(): Promise<void> {
    try {
      await this.#image?.close()
      if (this.#isPublished) return
      if (this.#upper !== undefined) {
        const {folder} = layerFiles(this.#host.paths.layers, this.#upper)
        await removeLayerFolder(this.#host, {identity: this.identity, folder})
      }
      await removeLeftover(this.#host, {
        kind: 'partial',
        identity: this.identity,
        name: this.#request.name,
        folder: this.#partial,
      })
    } finally {
      this.#layersLock?.release()
      this.#lock.release()
    }
  }

  get name(): EnvironmentName {
    return this.#request.name
  }

  /** What is worth telling of the tree; empty before `publish`. */
  get notes(): readonly TreeNote[] {
    return this.#notes
  }

  /** What of the image the tree has not; undefined before `extract`. */
  get extraction(): ExtractReport | undefined {
    return this.#unpacked?.report
  }

  get #tree() {
    return treeProcess(this.#host, this.identity)
  }

  async #measure(): Promise<number> {
    const [usage] = await measureTrees(await this.#tree, [filesIn(this.#partial).root])
    return usage?.sizeBytes ?? 0
  }
}
