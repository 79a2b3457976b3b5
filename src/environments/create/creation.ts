import {makeFolders, syncFilesIn} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
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
import {holdLayers, lockEnvironment} from '../../store/locks.js'
import {sweepPackagesHourly} from '../../store/package-cache.js'
import {type EnvironmentRecord, readRecord, writeRecord} from '../../store/record.js'
import {recordUsage} from '../../store/sizes.js'
import {sweepTries} from '../try/keep.js'
import {markTry} from '../try/tries.js'
import {type FetchHooks, ImageToUse, type ResolveHooks} from './image-source.js'
import {chooseMeans, type Means} from './means.js'
import {newRecord} from './new-record.js'
import type {CreateRequest} from './request.js'
import {NewLayeredTree, type NewTree, newPlainTree} from './tree.js'
import type {Unpacked, UnpackProgress} from './unpack.js'

/**
 * The making of one environment, step by step so that a caller can show them: fetch, extract, publish.
 *
 * Until `publish` returns there is no environment; `close` must be called, and takes an unfinished one away.
 */
export class Creation {
  /** What it can be started with on this host; another time it may be another. */
  readonly engine: EngineName
  readonly #host: Host
  readonly #request: CreateRequest
  readonly #signal: AbortSignal
  readonly #lock: Lock
  readonly #means: Means
  /** Becomes the environment. */
  readonly #partial: string
  readonly #source: ImageToUse
  readonly #tree: NewTree
  #image: OpenedImage | undefined
  #unpacked: Unpacked | undefined
  #notes: readonly TreeNote[] = []
  /** Once there is an environment. */
  #record: EnvironmentRecord | undefined

  private constructor(
    host: Host,
    request: CreateRequest,
    {signal, lock, holding, means}: Held & {readonly signal: AbortSignal; readonly means: Means},
  ) {
    const {identity, engine, storage} = means
    this.engine = engine
    this.#host = host
    this.#request = request
    this.#signal = signal
    this.#lock = lock
    this.#means = means
    this.#partial = leftoverFolder(host.paths, {kind: 'partial', identity, name: request.name})
    this.#source = new ImageToUse(host, request, {means, signal})
    const takeTree = () => this.#source.takeTree()
    const plan = {host, request, identity, partial: this.#partial, signal, takeTree}
    this.#tree = storage === 'overlay' ? new NewLayeredTree(plan, holding) : newPlainTree(plan)
    if (storage !== 'overlay') void holding?.then(release, ignore)
  }

  /** @throws {@link environmentExistsError} @throws {@link environmentBusyError} @throws As `chooseMeans`. */
  static async begin(host: Host, request: CreateRequest, {signal}: {signal: AbortSignal}): Promise<Creation> {
    await makeStore(host.paths)
    await sweepLeftovers(host)
    await sweepTries(host)
    await sweepPackagesHourly(host)
    await sweepLayers(host)
    // What is waited for is mostly other programs: they run side by side.
    const locking = lockEnvironment(host.paths, request.name, 'exclusive')
    const holding = isAtHand(request) ? holdLayers(host.paths) : undefined
    const choosing = chooseMeans(host, request)
    for (const each of [locking, holding, choosing]) each?.catch(() => {})
    try {
      const lock = await locking
      if ((await readRecord(environmentFiles(host.paths, request.name).record)) !== undefined) {
        throw environmentExistsError(
          {name: request.name},
          {suggestions: [`Choose another name with --name, or remove it first: envs rm ${request.name}`]},
        )
      }
      return new Creation(host, request, {signal, lock, holding, means: await choosing})
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
  async choose(hooks: ResolveHooks): Promise<boolean> {
    return (await this.#source.resolve(hooks)) === 'make'
  }

  /** Gets hold of the image: finds it, and waits for the first of what has to be downloaded. */
  async fetch(hooks: FetchHooks): Promise<void> {
    this.#image = await this.#source.open({...hooks, onKept: () => this.#tree.prepare()})
  }

  /** Unpacks the image where no command looks, and checks its digest before anything of it is used. */
  async extract(onProgress: (event: UnpackProgress) => void): Promise<void> {
    if (this.#image === undefined) throw new Error('extract comes after fetch')
    this.#unpacked = await this.#tree.unpack(this.#image, onProgress)
  }

  /** Applies the fixes and makes the environment appear under its name, whole. */
  async publish(): Promise<void> {
    const {name, isSynced, isThrowaway, architecture} = this.#request
    const unpacked = this.#unpacked
    if (unpacked === undefined) throw new Error('publish comes after extract')
    const {notes, ...usage} = await this.#tree.settle()
    this.#notes = notes
    const partial = filesIn(this.#partial)
    await makeFolders(partial.run, {mode: 0o700})
    await recordUsage(this.#partial, {...usage, measuredAt: this.#host.now()})
    if (isThrowaway === true) await markTry(this.#partial)
    const {identity, storage} = this.#means
    const origin = {identity, storage, architecture, source: this.#image?.source ?? '-'}
    const record = newRecord(unpacked, this.#host, origin)
    await writeRecord(partial.record, record, {isSynced: false})
    await Promise.all([this.#tree.onDisk(), isSynced ? syncFilesIn(this.#partial) : undefined])
    this.#signal.throwIfAborted()
    const {paths} = this.#host
    moveIntoPlace(this.#partial, environmentFiles(paths, name))
    // From here on it is one: where the sync fails, nothing of it may be taken away.
    this.#record = record
    await syncNames(paths)
  }

  async close(): Promise<void> {
    try {
      await this.#source.close()
      if (this.#record !== undefined) return
      await this.#tree.discard()
      const {identity} = this.#means
      const {name} = this.#request
      await removeLeftover(this.#host, {kind: 'partial', identity, name, folder: this.#partial})
    } finally {
      await this.#tree.close()
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
}

type Held = {readonly lock: Lock; readonly holding: Promise<Lock> | undefined}

/** Whether its layer may be there, or can be made of what is: who downloads first must not hold the others up. */
function isAtHand({reference, storage}: CreateRequest): boolean {
  return reference.kind === 'file' && storage !== 'directory'
}

function release(lock: Lock): void {
  lock.release()
}

function ignore(): void {}
