import {ignoreFailure} from '../../host/errno.js'
import {makeFolders, syncFilesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {touchKept} from '../../images/cache/cache.js'
import type {OpenedImage} from '../../images/opened-image.js'
import type {ExtractReport, TreeNote} from '../../rootfs/worker/api.js'
import type {EngineName} from '../../sandbox/engines/select.js'
import {
  type EnvironmentName,
  environmentFiles,
  filesIn,
  makeStore,
  moveIntoPlace,
  syncNames,
} from '../../store/environments.js'
import {environmentExistsError} from '../../store/errors.js'
import {leftoverFolder, removeLeftover, sweepLayers, sweepLeftovers} from '../../store/gc.js'
import {presentIdMap} from '../../store/integrity/id-maps.js'
import {holdLayers, type LockPatience, lockEnvironment} from '../../store/locks.js'
import {sweepPackagesHourly} from '../../store/package-cache.js'
import {type EnvironmentRecord, readRecord, writeRecord} from '../../store/record.js'
import {recordUsage} from '../../store/sizes.js'
import {sweepTrash} from '../../store/trash.js'
import {sweepExports} from '../export/abandoned.js'
import {withFreshTrials} from '../session/fresh-trials.js'
import {sweepTries} from '../try/keep.js'
import {markTry} from '../try/tries.js'
import {ImageAcquisition} from './image-acquisition.js'
import type {ImageStep, NamedLayer} from './image-description.js'
import {chooseMeans, type Means} from './means.js'
import {newRecord} from './new-record.js'
import type {CreateRequest} from './request.js'
import {NewLayeredTree, type NewTree, newPlainTree} from './tree.js'
import type {Unpacked, UnpackProgress} from './unpack.js'
import type {FetchHooks, ResolveHooks} from './wanted-image.js'

/**
 * Creates one environment in steps that a caller can display: fetch, extract, publish.
 *
 * The environment exists once `publish` has moved it into place. The caller must call `close`, which removes an
 * unfinished environment.
 */
export class Creation {
  /** The engine that can start the environment on this host now; the engine is chosen again at each start. */
  readonly engine: EngineName
  readonly #host: Host
  readonly #request: CreateRequest
  readonly #signal: AbortSignal
  readonly #lock: Lock
  readonly #means: Means
  /** The folder that becomes the environment. */
  readonly #partial: string
  readonly #source: ImageAcquisition
  readonly #tree: NewTree
  #image: OpenedImage | undefined
  #unpacked: Unpacked | undefined
  #notes: readonly TreeNote[] = []
  /** Set once the environment exists. */
  #record: EnvironmentRecord | undefined

  private constructor(
    host: Host,
    request: CreateRequest,
    {signal, lock, holding, means}: CreationLocks & {readonly signal: AbortSignal; readonly means: Means},
  ) {
    const {identity, engine, storage} = means
    this.engine = engine
    this.#host = host
    this.#request = request
    this.#signal = signal
    this.#lock = lock
    this.#means = means
    this.#partial = leftoverFolder(host.paths, {kind: 'partial', identity, name: request.name})
    this.#source = new ImageAcquisition(host, request, {means, signal})
    const takeTree = () => this.#source.takeTree()
    const plan = {host, request, identity, partial: this.#partial, signal, takeTree}
    this.#tree = storage === 'overlay' ? new NewLayeredTree(plan, holding) : newPlainTree(plan)
    if (storage !== 'overlay') void holding?.then(release, ignore)
  }

  /**
   * Locks the name and chooses engine, identity and storage.
   *
   * @throws {EnvironmentExistsError} At once if there is one. @throws {EnvironmentBusyError} @throws As `chooseMeans`.
   */
  static async begin(
    host: Host,
    request: CreateRequest,
    {signal, patience = DEFAULT_PATIENCE, nameFlag}: CreationOptions,
  ): Promise<Creation> {
    await refuseTaken(host, request.name, nameFlag)
    await makeStore(host.paths)
    await sweepTrash(host)
    await sweepExports(host)
    await sweepLeftovers(host)
    await sweepTries(host)
    await sweepPackagesHourly(host)
    await sweepLayers(host)
    // All three wait for other programs most of the time, so they run in parallel.
    const locking = lockEnvironment(host.paths, request.name, 'exclusive', {...patience, signal})
    const holding = needsNoDownload(request) ? holdLayers(host.paths) : undefined
    const choosing = chooseMeans(host, request)
    for (const each of [locking, holding, choosing]) each?.catch(() => {})
    try {
      const lock = await locking
      // Another command may have made it meanwhile.
      await refuseTaken(host, request.name, nameFlag)
      return new Creation(host, request, {signal, lock, holding, means: await choosing})
    } catch (error) {
      await Promise.all([locking.then(release, ignore), holding?.then(release, ignore)])
      throw error
    }
  }

  /** Whether the image is made from packages, as far as the request alone tells. */
  get isMade(): boolean {
    return this.#source.isMade
  }

  /** The remaining step for the image, if it is known without a look-up. */
  get step(): ImageStep | undefined {
    const {kind} = this.#request.reference
    if (kind === 'name' || kind === 'container') return undefined
    return kind === 'url' ? 'download' : 'read'
  }

  /** The layers of an image of containers; undefined before `find`, and for any other image. */
  get layers(): readonly NamedLayer[] | undefined {
    return this.#source.layers
  }

  /** Looks the image up; for an image that is made from packages, resolves its packages. */
  async find(hooks: ResolveHooks): Promise<ImageStep> {
    const step = await this.#source.resolve(hooks)
    if (step === 'fetch') return 'download'
    return step === 'make' ? 'make' : 'read'
  }

  /** Finds the image and, for a download, waits for its first bytes. */
  async fetch(hooks: FetchHooks): Promise<void> {
    this.#image = await this.#source.open({...hooks, onKept: () => this.#tree.prepare()})
  }

  /** Extracts the image into the partial environment, and verifies its digest before any file of it is used. */
  async extract(onProgress: (event: UnpackProgress) => void): Promise<void> {
    if (this.#image === undefined) throw new Error('extract comes after fetch')
    this.#unpacked = await this.#tree.unpack(this.#image, onProgress)
  }

  /** Applies the fixes and moves the environment into place under its name. */
  async publish(): Promise<void> {
    const {name, isSynced, isThrowaway, architecture, settings = {}} = this.#request
    const unpacked = this.#unpacked
    if (unpacked === undefined) throw new Error('publish comes after extract')
    const {notes, ...usage} = await this.#tree.settle()
    this.#notes = notes
    const partial = filesIn(this.#partial)
    await makeFolders(partial.run, {mode: 0o700})
    await recordUsage(this.#partial, {...usage, measuredAt: this.#host.now()})
    if (isThrowaway === true) await markTry(this.#partial)
    const {identity, storage} = this.#means
    const ids = identity === 'mapped' ? await presentIdMap(this.#host) : undefined
    const image = this.#image
    const container = image !== undefined && 'container' in image ? image.container : undefined
    const source = image?.source ?? '-'
    const origin = {identity, storage, architecture, settings, ids, container, source}
    const record = newRecord(unpacked, this.#host, origin)
    await writeRecord(partial.record, record, {isSynced: false})
    await Promise.all([this.#tree.onDisk(), isSynced ? syncFilesIn(this.#partial) : undefined])
    this.#signal.throwIfAborted()
    const {paths} = this.#host
    moveIntoPlace(this.#partial, environmentFiles(paths, name))
    // The environment exists from here on: `close` must not remove its files if the sync fails.
    this.#record = record
    await syncNames(paths)
    // An image whose layer existed was not read. It may have been removed meanwhile, or come from a file.
    await touchKept(paths.images, unpacked.evidence.sha256, this.#host.now()).catch(ignoreFailure)
  }

  /** Lets files in memory outlive this command, which else end with it. */
  outlive(): void {
    this.#tree.outlive()
  }

  /** Removes an unfinished environment and releases the locks. */
  async close(): Promise<void> {
    try {
      await this.#source.close()
      if (this.#record !== undefined) return
      await this.#tree.discard()
      await this.#removePartial()
    } finally {
      await this.#tree.close()
      this.#lock.release()
    }
  }

  async #removePartial(): Promise<void> {
    const {identity} = this.#means
    const leftover = {kind: 'partial', identity, name: this.#request.name, folder: this.#partial} as const
    try {
      await removeLeftover(this.#host, leftover)
    } catch (error) {
      ignoreFailure(error)
      // A host that can't map ids now has most likely written no file of another id.
      await removeLeftover(this.#host, {...leftover, identity: 'emulated'})
    }
  }

  get name(): EnvironmentName {
    return this.#request.name
  }

  /** The record of the new environment. @throws {Error} Before `publish`. */
  get record(): EnvironmentRecord {
    if (this.#record === undefined) throw new Error('there is a record after publish')
    return this.#record
  }

  /** Notes about the tree for the user; empty before `publish`. */
  get notes(): readonly TreeNote[] {
    return this.#notes
  }

  /** The report of the extraction, with the properties that files lost; undefined before `extract`. */
  get extraction(): ExtractReport | undefined {
    return this.#unpacked?.report
  }
}

/**
 * Creates an environment. If a part fails because of a remembered trial of the host, all is done once more with new trials.
 *
 * @param work - Runs the steps of the creation, which is begun before and closed afterwards.
 * @throws As {@link Creation}.
 */
export async function createEnvironment(
  host: Host,
  request: CreateRequest,
  {work, ...options}: CreationOptions & {readonly work: (creation: Creation) => Promise<void>},
): Promise<Creation> {
  const attempt = async () => {
    const creation = await Creation.begin(host, request, options)
    try {
      await work(creation)
    } catch (error) {
      await creation.close().catch(ignoreFailure)
      throw error
    }
    await creation.close()
    return creation
  }
  // Standard input can be read once.
  return request.reference.kind === 'standard-input' ? attempt() : withFreshTrials(host, attempt)
}

type CreationOptions = {
  readonly signal: AbortSignal
  /** How long to wait for another command that makes or removes an environment of this name. */
  readonly patience?: LockPatience | undefined
  /** The option that takes another name: `--name` by default. */
  readonly nameFlag?: string
}

/** A minute: another command may make or copy a whole tree. */
const DEFAULT_PATIENCE: LockPatience = {waitMs: 60_000}

/** Refuses the name of an environment that exists. @throws {EnvironmentExistsError} */
export async function refuseTaken({paths}: Host, name: EnvironmentName, nameFlag = '--name'): Promise<void> {
  if ((await readRecord(environmentFiles(paths, name).record)) === undefined) return
  throw environmentExistsError(
    {name},
    {suggestions: [`Choose another name with ${nameFlag}, or remove it first: envs rm ${name}`]},
  )
}

type CreationLocks = {readonly lock: Lock; readonly holding: Promise<Lock> | undefined}

/**
 * Returns whether the layer of the image exists or can be made without a download. The lock of the layers is taken early
 * only then: a command that downloads first must not block the others.
 */
function needsNoDownload({reference, storage}: CreateRequest): boolean {
  return reference.kind === 'file' && storage !== 'directory'
}

function release(lock: Lock): void {
  lock.release()
}

function ignore(): void {}
