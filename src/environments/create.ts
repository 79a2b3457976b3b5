import {mkdir} from 'node:fs/promises'
import {syncFilesIn} from '../host/atomic-file.js'
import {syncFileSystem} from '../host/file-system-sync.js'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {availableMemory} from '../host/memory.js'
import type {OpenedImage} from '../images/opened-image.js'
import {applyFixes, type ExtractReport, measureTrees, type TreeNote} from '../rootfs/tree-process.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {dropMemory} from '../sandbox/memory-state.js'
import {layerFiles} from '../storage/layer-files.js'
import {type LayerId, newLayerId} from '../storage/layer-id.js'
import type {CreateRequest} from './create-request.js'
import {emulationFor} from './emulation.js'
import {findEngine, identityFor} from './engine.js'
import {EnvironmentExistsError} from './errors.js'
import {type ImageLayer, openImageLayer} from './image-layer.js'
import {type FetchHooks, ImageToUse} from './image-to-use.js'
import {removeLayerFolder} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import {sweepLayers} from './layer-sweep.js'
import {leftoverFolder, removeLeftover, sweepLeftovers} from './leftovers.js'
import {lockEnvironment} from './locks.js'
import {memoryFor} from './memory-support.js'
import type {EnvironmentName} from './name.js'
import {newRecord} from './new-record.js'
import {chooseStorage} from './overlay-support.js'
import {sweepPackages} from './package-sweep.js'
import {type EnvironmentRecord, readRecord, writeRecord} from './record.js'
import {stackOn} from './stacked-environment.js'
import {moveUpperIntoMemory} from './start-in-memory.js'
import {environmentFiles, filesIn, makeStore, moveIntoPlace} from './store.js'
import {sessionLauncher, treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'
import {markTry} from './tries.js'
import {sweepTries} from './try-sweep.js'
import {type Unpacked, type UnpackProgress, unpackImage} from './unpack.js'
import {recordUsage} from './usage.js'

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
  /** What it can be started with on this host; another time it may be another. */
  readonly engine: EngineName
  readonly identity: Identity
  readonly storage: EnvironmentRecord['storage']
  readonly #source: ImageToUse
  #image: OpenedImage | undefined
  #unpacked: Unpacked | undefined
  #holding: Promise<Lock> | undefined
  #layer: ImageLayer | undefined
  #upper: LayerId | undefined
  #memoryUpper: LayerId | undefined
  #upperOnDisk: Promise<void> | undefined
  #record: EnvironmentRecord | undefined
  #notes: readonly TreeNote[] = []

  private constructor(
    host: Host,
    request: CreateRequest,
    held: Means & {signal: AbortSignal; lock: Lock; holding: Promise<Lock> | undefined},
  ) {
    this.#host = host
    this.#request = request
    this.#signal = held.signal
    this.#lock = held.lock
    this.#holding = held.holding
    this.engine = held.engine
    this.identity = held.identity
    this.storage = held.storage
    const {identity, engine, signal} = held
    this.#source = new ImageToUse(host, request, {identity, engine, signal})
    this.#partial = leftoverFolder(host.paths, {kind: 'partial', identity: held.identity, name: request.name})
  }

  /** @throws {EnvironmentExistsError} @throws {EnvironmentBusyError} @throws {IdentityUnavailableError} */
  static async begin(host: Host, request: CreateRequest, {signal}: {signal: AbortSignal}): Promise<Creation> {
    await makeStore(host.paths)
    await sweepLeftovers(host)
    await sweepTries(host)
    await sweepPackages(host)
    await sweepLayers(host)
    // What is waited for is mostly other programs: they run side by side.
    const locking = lockEnvironment(host.paths, request.name, 'exclusive')
    const holding = isAtHand(request) ? holdLayers(host.paths) : undefined
    const choosing = chooseMeans(host, request)
    for (const each of [locking, holding, choosing]) each?.catch(() => {})
    try {
      const lock = await locking
      if ((await readRecord(environmentFiles(host.paths, request.name).record)) !== undefined) {
        throw new EnvironmentExistsError(
          request.name,
          `Choose another name with --name, or remove it first: envs rm ${request.name}`,
        )
      }
      return new Creation(host, request, {signal, lock, holding, ...(await choosing)})
    } catch (error) {
      await Promise.all([locking.then(release, ignore), holding?.then(release, ignore)])
      throw error
    }
  }

  /** Whether the image is made of packages, as far as that is known before anybody is asked. */
  get isMade(): boolean {
    return this.#source.isMade
  }

  /** Finds out which packages such an image is to hold. @returns Whether it has to be made. */
  choose(hooks: Pick<FetchHooks, 'onMaking' | 'onResolved'>): Promise<boolean> {
    return this.#source.choose(hooks)
  }

  /** Gets hold of the image: finds it, and waits for the first of what has to be downloaded. */
  async fetch(hooks: FetchHooks): Promise<void> {
    this.#image = await this.#source.open(hooks)
  }

  /** Unpacks the image where no command looks, and checks its digest before anything of it is used. */
  async extract(onProgress: (event: UnpackProgress) => void): Promise<void> {
    const image = this.#image
    if (image === undefined) throw new Error('extract comes after fetch')
    if (this.storage === 'overlay') return this.#openLayer(image, onProgress)
    const {isSynced} = this.#request
    const {root, ledger} = filesIn(this.#partial)
    await mkdir(root, {recursive: true, mode: 0o700})
    const owners = this.identity === 'mapped' ? 'keep' : 'caller'
    const target = {tree: await this.#tree, root, owners, ledger} as const
    this.#unpacked = await unpackImage(image, target, {isSynced, signal: this.#signal, onProgress})
  }

  /** The layer of the image, unpacked unless an environment before had it unpacked. */
  async #openLayer(image: OpenedImage, onProgress: (event: UnpackProgress) => void): Promise<void> {
    const {archives, isSynced} = this.#request
    this.#holding ??= holdLayers(this.#host.paths)
    await this.#holding
    const {layer, unpacked} = await openImageLayer(this.#host, image, {
      identity: this.identity,
      archives,
      isSynced,
      signal: this.#signal,
      onProgress,
      takeTree: () => this.#source.takeTree(),
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
    await mkdir(partial.run, {recursive: true, mode: 0o700})
    await recordUsage(this.#partial, {...usage, measuredAt: this.#host.now()})
    if (this.#request.isThrowaway === true) await markTry(this.#partial)
    const {identity, storage} = this
    const {architecture} = this.#request
    const origin = {identity, storage, architecture, source: this.#image?.source ?? '-'}
    const record = newRecord(unpacked, this.#host, origin)
    await writeRecord(partial.record, record, {isSynced: false})
    await Promise.all([this.#upperOnDisk, this.#request.isSynced ? syncFilesIn(this.#partial) : undefined])
    this.#signal.throwIfAborted()
    const {paths} = this.#host
    await moveIntoPlace(paths, this.#partial, environmentFiles(paths, name))
    this.#record = record
  }

  /** A layer of its own over the image's. */
  async #stack(layer: ImageLayer): Promise<{sizeBytes: number; layer: LayerId}> {
    const {name, isSynced} = this.#request
    const {folder, history, ledger} = filesIn(this.#partial)
    const upper = newLayerId(this.identity)
    this.#upper = upper
    const {onDisk} = await stackOn(this.#host, layer, {upper, folder, history, ledger, name, isSynced})
    this.#upperOnDisk = onDisk
    this.#memoryUpper = await this.#intoMemory()
    return {sizeBytes: 0, layer: this.#memoryUpper ?? upper}
  }

  /** A layer in memory over that one, where one is wanted and can be had. */
  async #intoMemory(): Promise<LayerId | undefined> {
    const {memory, name} = this.#request
    if (memory === undefined) return undefined
    const freeBytes = availableMemory()
    const bytes = await memoryFor(this.#host, this.identity, {...memory, freeBytes})
    if (bytes === undefined) return undefined
    return moveUpperIntoMemory(this.#host, {name, files: filesIn(this.#partial), bytes})
  }

  /** A whole tree of its own. */
  async #settle(): Promise<{sizeBytes: number}> {
    const {name, archives, isSynced} = this.#request
    const {root} = filesIn(this.#partial)
    const facts = newTreeFacts(this.#host, {name, identity: this.identity, archives})
    const {notes} = await applyFixes(await this.#tree, {root, facts})
    this.#notes = notes
    // Else a power cut could leave a record that vouches for files the disk never saw.
    const synced = isSynced ? syncFileSystem(root) : undefined
    const [sizeBytes] = await Promise.all([this.#measure(), synced])
    return {sizeBytes}
  }

  async close(): Promise<void> {
    try {
      await this.#source.close()
      if (this.#record !== undefined) return
      await this.#upperOnDisk?.catch(ignore)
      await dropMemory(filesIn(this.#partial).run)
      for (const upper of [this.#upper, this.#memoryUpper]) {
        if (upper === undefined) continue
        const {folder} = layerFiles(this.#host.paths.layers, upper)
        await removeLayerFolder(this.#host, {identity: this.identity, folder})
      }
      await removeLeftover(this.#host, {
        kind: 'partial',
        identity: this.identity,
        name: this.#request.name,
        folder: this.#partial,
      })
    } finally {
      await this.#holding?.then(release, ignore)
      this.#lock.release()
    }
  }

  get name(): EnvironmentName {
    return this.#request.name
  }

  /** What was made. @throws {Error} Before `publish`. */
  get record(): EnvironmentRecord {
    if (this.#record === undefined) throw new Error('there is a record after publish')
    return this.#record
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

/** How an environment is kept and entered. */
type Means = Pick<Creation, 'engine' | 'identity' | 'storage'>

/** What an environment can't do without is looked for before a download, not after it. */
async function chooseMeans(host: Host, request: CreateRequest): Promise<Means> {
  sessionLauncher(host)
  const engine = await findEngine(host, request.engine)
  const identity = await identityFor(engine, request.identity, host)
  await emulationFor(host, request.architecture, {engine, identity})
  const storage = await chooseStorage(request.storage, host, {identity, engine})
  return {engine, identity, storage}
}

/** Whether its layer may be there, or can be made of what is: who downloads first must not hold the others up. */
function isAtHand({reference, storage}: CreateRequest): boolean {
  return reference.kind === 'file' && storage !== 'directory'
}

function release(lock: Lock): void {
  lock.release()
}

function ignore(): void {}
