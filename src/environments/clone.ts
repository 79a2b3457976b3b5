import {mkdir} from 'node:fs/promises'
import {setTimeout as sleep} from 'node:timers/promises'
import {settleMemory} from '../features/memory-files.js'
import {makeFolders, syncFileSystem, syncFilesIn} from '../host/files.js'
import type {Host} from '../host/host.js'
import type {Lock, LockMode} from '../host/locks.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {chooseIdentity, type Identity} from '../sandbox/identity.js'
import {isInUse} from '../sandbox/processes.js'
import {
  type Environment,
  type EnvironmentName,
  environmentFiles,
  filesIn,
  findEnvironment,
  makeStore,
  moveIntoPlace,
  parseEnvironmentName,
  syncNames,
} from '../store/environments.js'
import {EnvironmentBusyError, environmentExistsError, environmentRunningError} from '../store/errors.js'
import {leftoverFolder, removeLayerFolder, removeLeftover, sweepLayers, sweepLeftovers} from '../store/gc.js'
import {presentIdMap, requireSameIds} from '../store/integrity/id-maps.js'
import {completeLayer, type LayerId, layerFiles, newLayerId} from '../store/layers.js'
import {holdLayers, type LockPatience, lockEnvironment, lockHistory} from '../store/locks.js'
import {readRecord, writeRecord} from '../store/record.js'
import {recordUsage} from '../store/sizes.js'
import {toolPath} from '../store/tools.js'
import {sweepTrash} from '../store/trash.js'
import {type Cloned, type CloneTarget, copyEnvironment, shareLayers, shareRunning} from './clone-copy.js'
import {sweepExports} from './export/abandoned.js'
import {chooseStorage, findEngine} from './session/engine.js'
import {sweepTries} from './try/keep.js'

export type CloneRequest = {
  readonly from: string
  readonly to: string
  /** Undefined for the identity of the source. */
  readonly identity: 'auto' | Identity | undefined
  /** Whether the tree is synced to the disk before the environment is published. */
  readonly isSynced: boolean
}

const ANOTHER_NAME = 'Choose another name.'

type LockedClone = {
  readonly signal: AbortSignal
  readonly locks: readonly Lock[]
  readonly source: Environment
  readonly target: CloneTarget
}

/**
 * Clones an environment in steps, so that a caller can show their progress: copy, publish.
 *
 * The new environment exists once `publish` returns. The caller must call `close`, which removes an unfinished clone.
 */
export class CloneRun {
  readonly #host: Host
  readonly #request: CloneRequest
  readonly #signal: AbortSignal
  readonly #locks: readonly Lock[]
  readonly #target: CloneTarget
  readonly source: Environment
  #cloned: Cloned | undefined
  #isPublished = false

  private constructor(host: Host, request: CloneRequest, held: LockedClone) {
    this.#host = host
    this.#request = request
    this.#signal = held.signal
    this.#locks = held.locks
    this.#target = held.target
    this.source = held.source
  }

  /**
   * Locks both names and plans the clone.
   *
   * @throws {EnvironmentNotFoundError} @throws {EnvironmentExistsError} @throws {EnvironmentRunningError}
   * @throws {EnvironmentBusyError} @throws {IdentityUnavailableError} @throws {ToolMissingError}
   */
  static async begin(
    host: Host,
    request: CloneRequest,
    {signal, patience}: {readonly signal: AbortSignal; readonly patience: LockPatience},
  ): Promise<CloneRun> {
    const name = parseEnvironmentName(request.to)
    const {name: from, record} = await findEnvironment(host.paths, request.from)
    if (from === name) throw environmentExistsError({name}, {suggestions: [ANOTHER_NAME]})
    await refuseTaken(host, name)
    const identity = await chooseIdentity(request.identity ?? record.identity, host)
    await makeStore(host.paths)
    await sweepTrash(host)
    await sweepExports(host)
    await sweepLeftovers(host)
    await sweepTries(host)
    await sweepLayers(host)
    const locks: Lock[] = []
    // This lock is taken by a helper program: wait for it and for the other locks at the same time.
    const holding = holdLayers(host.paths)
    holding.catch(() => {})
    try {
      const source = await lockSource(host, {from, name, identity, locks, patience: {...patience, signal}})
      // Another command may have made it meanwhile.
      await refuseTaken(host, name)
      await requireSameIds(host, source)
      locks.push(await holding)
      toolPath(host, 'cp')
      if (readLiveAnchor(source.files.run) === undefined) await settleMemory(host, source)
      const target = await planTarget(host, {source, name, identity})
      return new CloneRun(host, request, {signal, locks, source, target})
    } catch (error) {
      for (const lock of locks) lock.release()
      await holding.then((lock) => lock.release()).catch(() => {})
      throw error
    }
  }

  /** Makes the unpublished clone: on the layers of the source where possible, else as a copy of the whole tree. */
  async copy(): Promise<void> {
    await mkdir(this.#target.folder, {mode: 0o700})
    this.#cloned = await this.#make()
  }

  #make(): Promise<Cloned> {
    const [host, source, target, signal] = [this.#host, this.source, this.#target, this.#signal]
    if (!sharesLayers(source, this.identity))
      return copyEnvironment(host, source, target, {signal, locks: this.#locks})
    const anchor = readLiveAnchor(source.files.run)
    if (anchor !== undefined) return shareRunning(host, source, {target, anchor}, {signal})
    return shareLayers(host, source, target, {isSynced: this.#request.isSynced})
  }

  /** Publishes the complete clone under its name. */
  async publish(): Promise<void> {
    const cloned = this.#cloned
    if (cloned === undefined) throw new Error('publish comes after copy')
    const {paths} = this.#host
    const {folder, upper} = this.#target
    const now = this.#host.now()
    const partial = filesIn(folder)
    await makeFolders(partial.run, {mode: 0o700})
    await recordUsage(folder, {sizeBytes: cloned.sizeBytes, measuredAt: now, layer: upper})
    const {ids: _, ...copied} = {...this.source.record, ...cloned.changes, createdAt: now}
    const ids = this.identity === 'mapped' ? await presentIdMap(this.#host) : undefined
    // Two environments can't listen on one port of the host.
    const {publish: __, ...settings} = copied.settings
    const record = {...copied, settings, ...(ids === undefined ? {} : {ids})}
    await writeRecord(partial.record, record, {isSynced: false})
    // Without the sync, a power failure could leave a record of files that are not on the disk.
    if (this.#request.isSynced) await Promise.all([syncFileSystem(folder), syncFilesIn(folder)])
    this.#signal.throwIfAborted()
    moveIntoPlace(folder, environmentFiles(paths, this.name))
    // The environment exists now: if the sync fails, `close` must not remove its files.
    this.#isPublished = true
    for (const id of [this.#target.base, upper]) if (id !== undefined) completeLayer(paths.layers, id)
    await syncNames(paths)
  }

  /** Releases the locks, and removes the files of a clone that was not published. */
  async close(): Promise<void> {
    try {
      if (this.#isPublished) return
      const {name, identity, folder, base, upper} = this.#target
      for (const id of [base, upper]) {
        if (id === undefined) continue
        const files = layerFiles(this.#host.paths.layers, id)
        await removeLayerFolder(this.#host, {identity, folder: files.folder})
      }
      await removeLeftover(this.#host, {kind: 'partial', identity, name, folder})
    } finally {
      for (const lock of this.#locks) lock.release()
      // The new upper layer of the source, where its history does not name it.
      if (!this.#isPublished) await sweepLayers(this.#host)
    }
  }

  get name(): EnvironmentName {
    return this.#target.name
  }

  get identity(): Identity {
    return this.#target.identity
  }

  /** How long the processes of the source were frozen, in milliseconds, and the size of the copy made meanwhile. */
  get frozen(): {readonly ms: number; readonly copiedBytes: number} {
    return {ms: this.#cloned?.frozenMs ?? 0, copiedBytes: this.#cloned?.sizeBytes ?? 0}
  }
}

/** @throws {EnvironmentExistsError} */
async function refuseTaken({paths}: Host, name: EnvironmentName): Promise<void> {
  if ((await readRecord(environmentFiles(paths, name).record)) !== undefined)
    throw environmentExistsError({name}, {suggestions: [ANOTHER_NAME]})
}

/** Returns whether a clone with the given identity shares the layers of the source. */
function sharesLayers({record}: Environment, identity: Identity): boolean {
  return record.storage === 'overlay' && record.identity === identity
}

type SourceLockRequest = {
  readonly from: EnvironmentName
  readonly name: EnvironmentName
  readonly identity: Identity
  /** Receives the acquired locks. */
  readonly locks: Lock[]
  readonly patience: LockPatience
}

/** An environment that is about to stop gets one second: 50 attempts, 20 ms apart. */
const MAX_LOCK_ATTEMPTS = 50
const RETRY_DELAY_MS = 20

/**
 * Locks both names. The lock of a stopped source is exclusive, so that no session starts; the lock of a running source that
 * can be cloned is shared with its sessions. Clones of one source that come at once wait for each other.
 *
 * @throws {EnvironmentRunningError} @throws {EnvironmentBusyError}
 */
async function lockSource(
  host: Host,
  {from, name, identity, locks, patience}: SourceLockRequest,
): Promise<Environment> {
  const take = takeWithPatience(host, {from, name, locks, patience})
  for (let attempt = 0; attempt < MAX_LOCK_ATTEMPTS; attempt++) {
    const mode = await take()
    const source = await findEnvironment(host.paths, from)
    if (mode === 'exclusive' && !(await isInUse(source.files.run))) return source
    if (mode === 'exclusive' || !sharesLayers(source, identity)) break
    locks.push(await lockHistory(source))
    if (readLiveAnchor(source.files.run) !== undefined) return source
    for (const lock of locks.splice(0)) lock.release()
    await sleep(RETRY_DELAY_MS)
  }
  throw environmentRunningError({name: from})
}

/** Interval at which a waiting clone looks whether its source has begun to run: it does not wait for a session to end. */
const LOOK_EVERY_MS = 1000

/** Returns a function that takes both locks, and returns the mode of the lock of the source. */
function takeWithPatience(
  host: Host,
  {from, name, locks, patience}: Omit<SourceLockRequest, 'identity'>,
): () => Promise<LockMode> {
  const until = performance.now() + patience.waitMs
  let isTold = false
  const onWait = (busy: EnvironmentName) => {
    if (!isTold) patience.onWait?.(busy)
    isTold = true
  }
  return async () => {
    for (;;) {
      const {files} = await findEnvironment(host.paths, from)
      const mode = (await isInUse(files.run)) ? 'shared' : 'exclusive'
      const waitMs = Math.min(LOOK_EVERY_MS, Math.max(0, until - performance.now()))
      try {
        // Every command takes its locks in this order, so that no two commands wait for each other.
        for (const each of [from, name].sort()) {
          const own = each === from ? mode : 'exclusive'
          locks.push(await lockEnvironment(host.paths, each, own, {...patience, waitMs, onWait}))
        }
        return mode
      } catch (error) {
        for (const lock of locks.splice(0)) lock.release()
        if (!(error instanceof EnvironmentBusyError) || performance.now() >= until) throw error
      }
    }
  }
}

async function planTarget(
  host: Host,
  {source, name, identity}: {source: Environment; name: EnvironmentName; identity: Identity},
): Promise<CloneTarget> {
  const {record} = source
  const isConverted = identity !== record.identity
  const hasLayers = record.storage === 'overlay' && (!isConverted || (await canUseLayers(host, identity)))
  const newLayer = (): LayerId | undefined => (hasLayers ? newLayerId(identity) : undefined)
  return {
    name,
    identity,
    folder: leftoverFolder(host.paths, {kind: 'partial', identity, name}),
    base: isConverted ? newLayer() : undefined,
    upper: newLayer(),
  }
}

async function canUseLayers(host: Host, identity: Identity): Promise<boolean> {
  const engine = await findEngine(host, 'auto')
  return (await chooseStorage('auto', host, {identity, engine})) === 'overlay'
}
