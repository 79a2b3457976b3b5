import type {ArchiveContext} from '../archive/context.js'
import type {Settings} from '../config/settings.js'
import type {Host} from '../host/host.js'
import type {PulledImage} from '../images/pull-image.js'
import {openRecentAnswers, type Question, type RecentAnswers} from '../images/recent-answers.js'
import {questionOfPackages} from './answers-of-today.js'
import {ArchiveImage, type MadeImage} from './archive-image.js'
import type {BootstrapRequest} from './bootstrap-request.js'
import {emulationFor} from './emulation.js'
import {findEngine, identityFor} from './engine.js'
import type {ArchiveProgress} from './image-to-use.js'
import {sweepLayers} from './layer-sweep.js'

type Around = {
  readonly settings: Settings
  readonly context: ArchiveContext
  readonly signal: AbortSignal
}

/** Making an image of packages to be kept, step by step: choose, make. `close` must be called. */
export class ArchivePull {
  readonly #image: ArchiveImage
  readonly #answers: RecentAnswers
  readonly #question: Question
  #tell: (event: ArchiveProgress) => void = () => {}
  #made: MadeImage | undefined

  private constructor(
    host: Host,
    request: BootstrapRequest,
    {context, ...place}: Omit<ConstructorParameters<typeof ArchiveImage>[2], 'onEvent'>,
  ) {
    const {images, cache} = host.paths
    this.#answers = openRecentAnswers({images, cacheFolder: cache, now: context.now})
    this.#question = questionOfPackages(request, place.identity, context)
    const onEvent = (event: ArchiveProgress) => this.#tell(event)
    const archive = {
      ...context,
      allowExpired: request.allowExpired,
      onProgress: onEvent,
      signal: place.signal,
    }
    this.#image = new ArchiveImage(host, request, {...place, context: archive, onEvent})
  }

  /** @throws {EngineUnavailableError} @throws {IdentityUnavailableError} @throws {@link emulationUnavailableError} */
  static async begin(
    host: Host,
    request: BootstrapRequest,
    {settings, context, signal}: Around,
  ): Promise<ArchivePull> {
    await sweepLayers(host)
    const engine = await findEngine(host, settings.value('engine'))
    const identity = await identityFor(engine, settings.value('identity'), host)
    await emulationFor(host, request.archive.architecture, {engine, identity})
    return new ArchivePull(host, request, {engine, identity, context, signal})
  }

  /** @returns Whether it has to be made. @throws As `ArchiveImage.choose`. */
  async choose(onEvent: (event: ArchiveProgress) => void): Promise<boolean> {
    this.#tell = onEvent
    this.#made = await this.#image.choose()
    await this.#remember()
    return this.#made === undefined
  }

  /** @throws As `ArchiveImage.make`. */
  async make(onEvent: (event: ArchiveProgress) => void): Promise<void> {
    this.#tell = onEvent
    this.#made = await this.#image.make()
    await this.#remember()
  }

  /** Those who create it today need not ask. */
  async #remember(): Promise<void> {
    const {kept, fallback} = this.#made ?? {}
    if (kept !== undefined && fallback === undefined)
      await this.#answers.remember(this.#question, kept.sha256)
  }

  describe(): PulledImage {
    const {name, version, source, architecture, url, signer, signedAt} =
      this.#made?.kept ?? this.#image.describe()
    return {
      ...{name, version, source, architecture, url, signer, signedAt},
      sha256: this.#made?.kept.sha256 ?? null,
      sizeBytes: this.#made?.kept.sizeBytes ?? null,
      wasKept: this.#made?.wasKept ?? false,
    }
  }

  /** Why the archive could not be asked, so that the newest one here is what there is. */
  get fallback(): string | undefined {
    return this.#made?.fallback
  }

  close(): Promise<void> {
    return this.#image.close()
  }
}
