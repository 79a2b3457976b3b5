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

/** A downloaded and verified package. */
export type FetchedPackage = {
  readonly package: PlannedPackage
  /** A private file of this run, which no guest can reach; it exists until the downloads are closed. */
  readonly path: string
}

/** The packages in the order of their completion. The downloads run ahead of the iteration. */
export type PackageDownloads = AsyncIterable<FetchedPackage> & {
  /** Folder of the files, each named by its SHA-256. */
  readonly folder: string
  /** Aborts running downloads; complete packages are moved to the shared folder. */
  close(): Promise<void>
}

/**
 * Number of parallel downloads. Mirrors refuse more than about ten; less than half leaves a fast line idle with
 * small files.
 */
const AT_ONCE = 8

/**
 * Downloads the packages of a plan in parallel, the largest first; packages in the shared folder need no network.
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
  const run = new DownloadRun(plan.packages, folder.path, {...context, signal})
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

class DownloadRun {
  /** SHA-256 digests of the packages that were downloaded. */
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

  /** Never rejects: `takeAll` throws the failure. */
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
      await this.#provide(wanted, path)
      this.#receivedCount++
      this.#report(wanted, wanted.sizeBytes)
      this.#ready.push({package: wanted, path})
      this.#wake()
    }
  }

  async #provide(wanted: PlannedPackage, path: string): Promise<void> {
    const shared = join(sharedPackages(this.context.paths), wanted.sha256)
    try {
      if (takeShared(shared, path, wanted)) {
        // Lets the consumer take the packages one by one.
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

type FetchPackageOptions = {
  readonly context: ArchiveContext
  readonly connections: Connections
  readonly onBytes: (receivedBytes: number) => void
}

/**
 * Downloads a package to `path`, where it appears complete or not at all; an interrupted transfer is resumed.
 *
 * @throws {PackageMismatchError} @throws {@link packageMissingError} @throws {@link archiveUnreachableError}
 * @throws {@link downloadStorageError}
 * @throws {unknown} The reason of the context's signal.
 */
async function fetchPackage(
  wanted: PlannedPackage,
  path: string,
  {context, connections, onBytes}: FetchPackageOptions,
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
      // The parts may come from two versions of the file: only a full download proves that the mirror is wrong.
      await part.restart()
      await receive(part, options)
    }
    const actual = part.digest()
    if (actual !== sha256) throw digestMismatchError({source: url.host, expected: sha256, actual})
    await part.publish()
  } catch (error) {
    throw packageError(error, wanted)
  } finally {
    await file.close()
  }
}

function progressTo({context, onBytes}: Pick<FetchPackageOptions, 'context' | 'onBytes'>) {
  return (event: Parameters<NonNullable<Parameters<typeof receive>[1]['onProgress']>>[0]) => {
    if (event.stage === 'download') onBytes(event.receivedBytes)
    if (event.stage === 'download-retry') {
      context.onProgress?.({stage: 'retry', waitMs: event.waitMs, reason: event.reason})
    }
  }
}

function packageError(error: unknown, {name, url}: PlannedPackage): unknown {
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
