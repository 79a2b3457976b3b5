import type {ArchiveContext} from '../../apt/context.js'
import type {Sha256} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {findKept, type KeptImage, readKept} from '../../images/cache/cache.js'
import {ImageRecordUnreadableError} from '../../images/cache/errors.js'
import {fetchAndKeep} from '../../images/cache/keep.js'
import {
  openRecentAnswers,
  type Question,
  questionOfImage,
  type RecentAnswers,
} from '../../images/cache/recent-answers.js'
import {factsOf} from '../../images/cache/record.js'
import {sweepImages} from '../../images/cache/remove.js'
import type {ContainerReference, ImageQuery, ImageReference} from '../../images/name.js'
import {hexOf} from '../../images/oci/container-image.js'
import {openImage} from '../../images/open.js'
import type {OpenedImage} from '../../images/opened-image.js'
import {requireDigest, resolutionOf, resolveImage} from '../../images/resolve.js'
import {isPublished, type ResolvedImage} from '../../images/resolved-image.js'
import {SourcesUnreachableError} from '../../images/sources/errors.js'
import type {ImageContext} from '../../images/sources/source.js'
import {ArchiveImage, type FreshTree, isUnreachable, type MadeImage} from '../bootstrap/build.js'
import {type BootstrapRequest, DEFAULT_ARCHIVE, planBootstrap} from '../bootstrap/request.js'
import {described, describedContainer, type NamedLayer, type PulledImage} from './image-description.js'
import {isUnpacked} from './image-layer.js'
import type {Means} from './means.js'
import {explainOffline} from './offline.js'
import {
  type ArchiveProgress,
  type FetchHooks,
  isOpen,
  questionOfPackages,
  type ResolveHooks,
  type WantedImage,
} from './wanted-image.js'

type ImageSourceOptions = {
  readonly signal: AbortSignal
  /** Engine and identity to make an image with, or how to choose them once an image has to be made. */
  readonly means: BuildMeans | (() => Promise<BuildMeans>)
}

type BuildMeans = Omit<Means, 'storage'> & Partial<Pick<Means, 'storage'>>

/** The state of the image: its description, and the step that is left. */
type ImageState =
  /** To be downloaded, or read in place. */
  | {
      readonly kind: 'fetch'
      readonly image: ResolvedImage
      readonly sizeBytes?: number | undefined
      readonly wasKept?: boolean
      readonly question: Question | undefined
    }
  | {readonly kind: 'make'; readonly making: ArchiveImage; readonly question: Question}
  /** In the cache. `question`: the question that this image answers, if the answer is not recorded yet. */
  | {
      readonly kind: 'kept'
      readonly image: KeptImage
      readonly wasKept: boolean
      readonly fallback?: string | undefined
      readonly question?: Question | undefined
    }

/**
 * Turns the reference of an image into its bytes: resolves the reference, downloads or makes the image, and records the
 * answer for a day. `create`, `import`, `try` and `image pull` all use this class. The caller must call `close`.
 */
export class ImageAcquisition {
  readonly #answers: RecentAnswers
  #state: ImageState | undefined
  #onMaking: (event: ArchiveProgress) => void = () => {}
  #making: ArchiveImage | undefined
  #opened: OpenedImage | undefined
  /** Why the image is made from packages instead of downloaded. */
  #unreachable: SourcesUnreachableError | undefined

  constructor(
    private readonly host: Host,
    private readonly wanted: WantedImage,
    private readonly options: ImageSourceOptions,
  ) {
    const {images, cache} = host.paths
    this.#answers = openRecentAnswers({images, cacheFolder: cache, now: wanted.context.now})
  }

  /** Whether the image is made from packages, as far as the request alone tells. */
  get isMade(): boolean {
    return this.wanted.bootstrap !== undefined
  }

  /**
   * Resolves the reference; for an image that is made from packages, resolves its packages.
   *
   * A release of Ubuntu without a variant in its name is made from packages if no image server can be reached.
   *
   * @returns The step that is left; `kept` needs none.
   * @throws As `resolveImage` and `ArchiveImage.choose`.
   */
  async resolve({onResolved, onMaking}: ResolveHooks): Promise<'fetch' | 'make' | 'kept'> {
    this.#onMaking = onMaking ?? this.#onMaking
    this.#state ??= await this.#find(onResolved).catch((error: unknown) => {
      throw explainOffline(error, this.wanted)
    })
    return this.#state.kind
  }

  /**
   * Opens the image as soon as its first bytes have arrived.
   *
   * @throws As `resolve`, `openImage` and `ArchiveImage.make`.
   */
  async open(hooks: FetchHooks): Promise<OpenedImage> {
    await this.resolve(hooks)
    this.#opened = await this.#insteadOf(async () => {
      const state = await this.#made()
      const image = await this.#openState(state, hooks)
      await this.#remember(state)
      return image
    })
    if (this.#unreachable !== undefined) hooks.onUnreachable?.(this.#unreachable)
    return this.#opened
  }

  /** Downloads or makes the image and keeps it in the cache. @throws As `resolve`, `fetchAndKeep` and `ArchiveImage.make`. */
  async keep(hooks: FetchHooks): Promise<void> {
    await this.resolve(hooks)
    await this.#insteadOf(async () => {
      const state = await this.#made()
      if (state.kind === 'fetch') this.#state = {...state, sizeBytes: await this.#fetch(state.image, hooks)}
      await this.#remember(state)
    })
    if (this.#unreachable !== undefined) hooks.onUnreachable?.(this.#unreachable)
  }

  /** Describes the image. @throws {Error} Before `resolve`, and for an image without a name. */
  describe(): PulledImage {
    const state = this.#state
    if (state === undefined) throw new Error('resolve comes first')
    switch (state.kind) {
      case 'fetch':
        if (state.image.content.kind === 'container')
          return describedContainer(state.image.content.image, {wasKept: state.wasKept === true})
        if (!isPublished(state.image)) throw new Error('an image without a name')
        return described(factsOf(state.image), {...state, sha256: state.image.digest})
      case 'make':
        return described(state.making.describe(), {})
      case 'kept':
        return described(state.image, {...state.image, wasKept: state.wasKept})
    }
  }

  /** The layers of an image of containers; undefined before `resolve`, and for any other image. */
  get layers(): readonly NamedLayer[] | undefined {
    if (this.#state?.kind !== 'fetch') return undefined
    const {content} = this.#state.image
    if (content.kind !== 'container') return undefined
    const named = content.image.layers.map(({blob}) => ({digest: hexOf(blob.digest), totalBytes: blob.size}))
    return [...new Map(named.map((layer) => [layer.digest, layer])).values()]
  }

  /** The packages of an image that has to be made; undefined for any other image. */
  get packages(): ArchiveImage['packages'] | undefined {
    return this.#state?.kind === 'make' ? this.#state.making.packages : undefined
  }

  /** Whether the image is made from packages because no image server could be reached. */
  get isMadeInstead(): boolean {
    return this.#unreachable !== undefined
  }

  /** Why the APT repository was unreachable, so that the newest cached image is used; undefined if it was reached. */
  get fallback(): string | undefined {
    return this.#state?.kind === 'kept' ? this.#state.fallback : undefined
  }

  /** Hands over, once, the tree of an image that was just made. */
  takeTree(): FreshTree | undefined {
    return this.#making?.takeTree()
  }

  /** Closes the image and removes the files of an unfinished one. */
  async close(): Promise<void> {
    try {
      await this.#opened?.close()
      const state = this.#state
      if (state?.kind === 'fetch' && state.image.content.kind === 'container')
        await state.image.content.source.close()
    } finally {
      await this.#making?.close()
    }
  }

  async #find(onResolved: ResolveHooks['onResolved']): Promise<ImageState> {
    const {reference, bootstrap, context} = this.wanted
    if (bootstrap !== undefined) return this.#choose(bootstrap, onResolved)
    if (reference.kind === 'container') return this.#findContainer(reference)
    const question = reference.kind === 'name' ? questionOfImage(reference.query, context) : undefined
    const known = question === undefined ? undefined : await this.#recall(question)
    if (known !== undefined) return {kind: 'kept', image: known, wasKept: true}
    try {
      return await this.#ask(reference, question, onResolved)
    } catch (error) {
      const canFallBack = error instanceof SourcesUnreachableError && isOpen(reference)
      if (!canFallBack || (await this.#isKept(reference.query))) throw error
      this.#unreachable = error
      const instead = await planBootstrap(reference.query, DEFAULT_ARCHIVE, context.now)
      return this.#insteadOf(() => this.#choose(instead, onResolved))
    }
  }

  async #findContainer(reference: ContainerReference): Promise<ImageState> {
    const {sha256, isNewest = false, imageCheck} = this.wanted
    const {images} = this.host.paths
    const context = this.#context
    const {location, architecture} = reference
    const question = {container: location, architecture, registries: context.registries?.settings}
    const recent = isNewest || imageCheck === 'always' ? undefined : this.#answers.recallDigest(question)
    const {resolveContainerReference} = await import('../../images/oci/resolve.js')
    const {image, wasKept} = await resolveContainerReference(reference, {images, context, recent, isNewest})
    const resolution = resolutionOf(image, sha256)
    if (resolution.kind === 'kept') throw new Error('an image of containers is resolved from its documents')
    return {kind: 'fetch', image: resolution.image, wasKept, question}
  }

  /** Returns whether an image that a publisher made is in the cache, to which one made from packages is no successor. */
  async #isKept(query: ImageQuery): Promise<boolean> {
    return (await findKept(this.host.paths.images, query)) !== undefined
  }

  async #ask(
    reference: ImageReference,
    question: Question | undefined,
    onResolved: ResolveHooks['onResolved'],
  ): Promise<ImageState> {
    const {sha256, isNewest = false} = this.wanted
    const {images} = this.host.paths
    const resolution = await resolveImage(reference, {images, sha256, isNewest, context: this.#context})
    onResolved?.(resolution)
    if (resolution.kind === 'kept') return {kind: 'kept', image: resolution.image, wasKept: true}
    const {image} = resolution
    if (!isNewest || !isPublished(image)) return {kind: 'fetch', image, question}
    const kept = await readKept(images, image.digest).catch(unlessUnreadable)
    const {sizeBytes} = kept ?? image.content.layer
    return {kind: 'fetch', image, sizeBytes, wasKept: kept !== undefined, question}
  }

  async #choose(bootstrap: BootstrapRequest, onResolved: ResolveHooks['onResolved']): Promise<ImageState> {
    const {signal} = this.options
    const {archive} = this.wanted
    const means = await this.#means()
    const question = questionOfPackages(bootstrap, means, archive)
    const known = await this.#recall(question)
    if (known !== undefined) return {kind: 'kept', image: known, wasKept: true}
    const onEvent = (event: ArchiveProgress) => this.#onMaking(event)
    const context: ArchiveContext = {
      ...archive,
      allowExpired: bootstrap.allowExpired,
      signal,
      onProgress: onEvent,
    }
    const making = new ArchiveImage(this.host, bootstrap, {...means, signal, context, onEvent})
    this.#making = making
    const there = await making.choose()
    if (there === undefined) return {kind: 'make', making, question}
    if (there.fallback !== undefined) onResolved?.({kind: 'kept', image: there.kept, reason: there.fallback})
    return stateOf(there, question)
  }

  /** Makes the image if it has to be made, and returns the state after that. */
  async #made(): Promise<Exclude<ImageState, {kind: 'make'}>> {
    const state = this.#state
    if (state === undefined) throw new Error('resolve comes first')
    const made = state.kind === 'make' ? stateOf(await state.making.make(), state.question) : state
    this.#state = made
    return made
  }

  async #openState(state: Exclude<ImageState, {kind: 'make'}>, hooks: FetchHooks): Promise<OpenedImage> {
    const {paths} = this.host
    const {standardInput} = this.wanted
    const options = {images: paths.images, cacheFolder: paths.cache, context: this.#context}
    if (state.kind === 'fetch') {
      const {onProgress, onStored} = hooks
      const resolution = {kind: 'found', image: state.image} as const
      return openImage(resolution, {...options, standardInput, onProgress, onStored})
    }
    const {image} = state
    requireDigest(this.wanted.sha256, {name: image.name, digest: image.sha256})
    hooks.onKept?.()
    const isRemovable = await this.#isUnpacked(image.sha256)
    return openImage({kind: 'kept', image, reason: ''}, {...options, isRemovable})
  }

  /** Returns whether the image's layer exists, so that an environment needs no byte of the tarball. */
  async #isUnpacked(sha256: Sha256): Promise<boolean> {
    const {archives} = this.wanted
    const {means} = this.options
    if (typeof means === 'function' || means.storage !== 'overlay' || archives === undefined) return false
    return isUnpacked(this.host, sha256, {identity: means.identity, archives})
  }

  async #fetch(image: ResolvedImage, {onProgress, onExtraction}: FetchHooks): Promise<number> {
    if (image.content.kind === 'container') {
      const {pullContainer} = await import('./container-layers.js')
      const {identity} = await this.#means()
      const {signal} = this.options
      await pullContainer(this.host, image.content, {
        identity,
        signal,
        onProgress: onExtraction ?? (() => {}),
      })
      return this.describe().sizeBytes ?? 0
    }
    if (!isPublished(image)) throw new Error('only an image with a name is kept')
    const {images} = this.host.paths
    const context = this.#context
    // The sweep is not what the user asked for: the command continues if the sweep fails.
    await sweepImages(images, context.now).catch((error: unknown) => {
      if (!isErrno(error)) throw error
    })
    const {signal} = this.options
    const {lock, sizeBytes} = await fetchAndKeep(image, {images, context}, {signal, onProgress})
    lock.release()
    return sizeBytes
  }

  async #means(): Promise<BuildMeans> {
    const {means} = this.options
    return typeof means === 'function' ? means() : means
  }

  /** Runs `make`. @throws The error of the image servers, if the APT repository is unreachable too. */
  async #insteadOf<T>(make: () => Promise<T>): Promise<T> {
    try {
      return await make()
    } catch (error) {
      const known = this.#unreachable !== undefined && isUnreachable(error) ? this.#unreachable : error
      throw explainOffline(known, this.wanted)
    }
  }

  async #recall(question: Question): Promise<KeptImage | undefined> {
    const {imageCheck, sha256, isNewest = false} = this.wanted
    if (isNewest || imageCheck === 'always') return undefined
    const known = await this.#answers.recall(question)
    return sha256 === undefined || sha256 === known?.sha256 ? known : undefined
  }

  /** Records the answer, so that commands within a day need not ask the publisher. */
  async #remember(state: Exclude<ImageState, {kind: 'make'}>): Promise<void> {
    const digest = state.kind === 'fetch' ? state.image.digest : state.image.sha256
    if (state.question !== undefined && digest !== undefined)
      await this.#answers.remember(state.question, digest)
  }

  get #context(): ImageContext {
    return {...this.wanted.context, signal: this.options.signal}
  }
}

function stateOf({kept, wasKept, fallback}: MadeImage, question: Question): ImageState & {kind: 'kept'} {
  const isAnswer = fallback === undefined
  return {kind: 'kept', image: kept, wasKept, fallback, question: isAnswer ? question : undefined}
}

function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}
