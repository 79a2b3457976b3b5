import {constants} from 'node:fs'
import {open} from 'node:fs/promises'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import {DigestMismatchError, digestMismatchError} from '../host/errors.js'
import {receive} from '../host/http/attempt.js'
import {Connections, redactUrl} from '../host/http/client.js'
import {NetworkError, UnexpectedSizeError} from '../host/http/errors.js'
import {PartialFile} from '../host/http/part.js'
import {sharedPackages} from '../host/paths.js'
import type {ArchiveContext, PackagePlan, PlannedPackage} from './context.js'
import {archiveUnreachableError, packageMismatchError, packageMissingError, storageError} from './errors.js'
import {openFetchFolder, takeShared} from './fetch-folder.js'

/** A package whose bytes are those of the plan. */
export type FetchedPackage = {
  readonly package: PlannedPackage
  /** A file of this run alone, which no guest can reach; there until the downloads are closed. */
  readonly path: string
}

/** Packages in the order they come, once; those not asked for yet are downloaded meanwhile. */
export type PackageDownloads = AsyncIterable<FetchedPackage> & {
  /** The folder of the files, each named by its SHA-256. */
  readonly folder: string
  /** Stops what is under way; what is whole goes to the packages that environments share. */
  close(): Promise<void>
}

/** Mirrors begin to refuse at some more; below half of it, small files do not fill a fast line. */
const AT_ONCE = 8

/**
 * Fetches the packages of a plan, several at once, the largest first; those that environments share need no network.
 *
 * @throws {ArchiveStorageError} @throws {@link flockMissingError}
 * @throws {EnvsError} From the iteration: PackageMismatchError, PackageMissingError, ArchiveUnreachableError, …
 */
export async function downloadPackages(
  plan: Pick<PackagePlan, 'packages'>,
  context: ArchiveContext,
): Promise<PackageDownloads> {
  const folder = await openFetchFolder(context.paths)
  const stop = new AbortController()
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, context.signal])
  const run = new Run(plan.packages, folder.path, {...context, signal})
  const running = run.fetchAll(stop)
  return {
    folder: folder.path,
    [Symbol.asyncIterator]: () => run.takeAll(),
    async close() {
      stop.abort()
      await running
      await folder.close(run.fetched)
    },
  }
}

class Run {
  /** SHA-256 of those that came from the network. */
  readonly fetched: string[] = []
  readonly #ready: FetchedPackage[] = []
  readonly #connections = new Connections(AT_ONCE)
  readonly #received = new Map<string, number>()
  readonly #queue: PlannedPackage[]
  #receivedCount = 0
  #failure: {readonly error: unknown} | undefined
  #wake: () => void = () => {}

  constructor(
    private readonly packages: readonly PlannedPackage[],
    private readonly folder: string,
    private readonly context: ArchiveContext,
  ) {
    this.#queue = [...packages].sort((a, b) => a.sizeBytes - b.sizeBytes)
  }

  /** Never rejects: what fails is met by the one who takes. */
  async fetchAll(stop: AbortController): Promise<void> {
    const workers = Array.from({length: AT_ONCE}, () => this.#work())
    for (const worker of workers) {
      worker.catch((error: unknown) => {
        this.#failure ??= {error}
        stop.abort(error)
        this.#wake()
      })
    }
    await Promise.allSettled(workers)
    await this.#connections.close()
  }

  async *takeAll(): AsyncGenerator<FetchedPackage> {
    for (let taken = 0; taken < this.packages.length; taken++) {
      let next = this.#ready.shift()
      while (next === undefined) {
        if (this.#failure !== undefined) throw this.#failure.error
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        next = this.#ready.shift()
      }
      yield next
    }
  }

  async #work(): Promise<void> {
    for (let wanted = this.#queue.pop(); wanted !== undefined; wanted = this.#queue.pop()) {
      this.context.signal?.throwIfAborted()
      const path = join(this.folder, wanted.sha256)
      await this.#bring(wanted, path)
      this.#receivedCount++
      this.#report(wanted, wanted.sizeBytes)
      this.#ready.push({package: wanted, path})
      this.#wake()
    }
  }

  async #bring(wanted: PlannedPackage, path: string): Promise<void> {
    const shared = join(sharedPackages(this.context.paths), wanted.sha256)
    try {
      if (takeShared(shared, path, wanted)) {
        // So that whoever takes gets them one by one.
        await setImmediate()
        return
      }
      const {context} = this
      const onBytes = (receivedBytes: number) => this.#report(wanted, receivedBytes)
      await fetchPackage(wanted, path, {context, connections: this.#connections, onBytes})
      this.fetched.push(wanted.sha256)
    } catch (error) {
      throw storageError(path, error)
    }
  }

  #report({sha256}: PlannedPackage, receivedBytes: number): void {
    this.#received.set(sha256, receivedBytes)
    this.context.onProgress?.({
      stage: 'packages',
      receivedBytes: [...this.#received.values()].reduce((sum, each) => sum + each, 0),
      totalBytes: this.packages.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0),
      receivedCount: this.#receivedCount,
      totalCount: this.packages.length,
    })
  }
}

const {O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: readonly (number | undefined)[] = [404, 410]

type Options = {
  readonly context: ArchiveContext
  readonly connections: Connections
  readonly onBytes: (receivedBytes: number) => void
}

/**
 * Downloads a package to `path`, where it is whole or not there; a connection that breaks is gone on with.
 *
 * @throws {PackageMismatchError} @throws {@link packageMissingError} @throws {@link archiveUnreachableError} @throws {@link downloadStorageError}
 * @throws {unknown} The reason of the context's signal.
 */
async function fetchPackage(
  wanted: PlannedPackage,
  path: string,
  {context, connections, onBytes}: Options,
): Promise<void> {
  const {url, sha256, sizeBytes} = wanted
  const paths = {part: `${path}.part`, record: `${path}.part.json`, destination: path}
  const file = await open(paths.part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    const part = await PartialFile.open(paths, {fd: file.fd, url, isDigestKnown: true, isForLater: false})
    const {environment, signal, backoffMs} = context
    const options = {
      url,
      environment,
      signal,
      connections,
      isDigestKnown: true,
      expectedBytes: sizeBytes,
      maxBytes: sizeBytes,
      ...(backoffMs === undefined ? {} : {backoffMs}),
      onProgress: progressTo({context, onBytes}),
    }
    await receive(part, options)
    if (part.isMixed && part.digest() !== sha256) {
      // The pieces may be of two states of the mirror: only a whole one can be held against it.
      await part.restart()
      await receive(part, options)
    }
    const actual = part.digest()
    if (actual !== sha256) throw digestMismatchError({source: url.host, expected: sha256, actual})
    await part.publish()
  } catch (error) {
    throw explained(error, wanted)
  } finally {
    await file.close()
  }
}

function progressTo({context, onBytes}: Pick<Options, 'context' | 'onBytes'>) {
  return (event: Parameters<NonNullable<Parameters<typeof receive>[1]['onProgress']>>[0]) => {
    if (event.stage === 'download') onBytes(event.receivedBytes)
    if (event.stage === 'download-retry') {
      context.onProgress?.({stage: 'retry', waitMs: event.waitMs, reason: event.reason})
    }
  }
}

function explained(error: unknown, {name, url}: PlannedPackage): unknown {
  const shown = redactUrl(url)
  if (error instanceof DigestMismatchError || error instanceof UnexpectedSizeError) {
    return packageMismatchError({name, url: shown}, {cause: error})
  }
  if (error instanceof NetworkError && MISSING.includes(error.status)) {
    return packageMissingError({name, url: shown})
  }
  if (error instanceof NetworkError) return archiveUnreachableError(`the package ${name}`, shown, error)
  return error
}
