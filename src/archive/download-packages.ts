import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import {Connections} from '../host/http/connections.js'
import {sharedPackages} from '../host/shared-packages.js'
import type {ArchiveContext} from './context.js'
import {storageError} from './errors.js'
import {openFetchFolder} from './fetch-folder.js'
import {fetchPackage} from './fetch-package.js'
import type {PackagePlan, PlannedPackage} from './plan.js'
import {takeShared} from './take-shared.js'

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
