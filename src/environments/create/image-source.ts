import type {ArchiveContext} from '../../apt/context.js'
import type {Sha256} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import {type KeptImage, readKept} from '../../images/cache/cache.js'
import {ImageRecordUnreadableError} from '../../images/cache/errors.js'
import {fetchAndKeep} from '../../images/cache/keep.js'
import {factsOf, type ImageFacts} from '../../images/cache/record.js'
import {sweepImages} from '../../images/cache/remove.js'
import type {StandardInput} from '../../images/local.js'
import type {ImageReference, NamedReference} from '../../images/name.js'
import {openImage} from '../../images/open.js'
import type {OpenedImage} from '../../images/opened-image.js'
import {
  judgesOf,
  openRecentAnswers,
  type Question,
  questionOfImage,
  type RecentAnswers,
  type Resolution,
  requireDigest,
  resolveImage,
} from '../../images/resolve.js'
import {isPublished, type ResolvedImage} from '../../images/resolved-image.js'
import {SourcesUnreachableError} from '../../images/sources/errors.js'
import type {ImageContext} from '../../images/sources/source.js'
import type {ArchiveFacts} from '../../rootfs/worker/api.js'
import {ArchiveImage, type FreshTree, isUnreachable, type MadeImage} from '../bootstrap/build.js'
import type {BootstrapEvent} from '../bootstrap/configure.js'
import {type BootstrapRequest, planBootstrap, USUAL_ARCHIVE} from '../bootstrap/request.js'
import {isUnpacked} from './image-layer.js'
import type {Means} from './means.js'

/** How far the making of an image is; `wait`: another command makes the same one. */
export type ArchiveProgress = BootstrapEvent | {readonly stage: 'wait'}

/** `daily`: a publisher that was asked within a day is not asked again. */
export type ImageCheck = 'daily' | 'always'

/** What is told of while it is found out which image is wanted. */
export type ResolveHooks = {
  /** What a name stands for, once that is known. */
  readonly onResolved?: (resolution: Resolution) => void
  /** Of an image that is made here. */
  readonly onMaking?: (event: ArchiveProgress) => void
}

/** What is told of while the image comes. */
export type FetchHooks = ResolveHooks & {
  readonly onProgress: (event: DownloadEvent) => void
  /** It is kept here, so that nothing has to be fetched. */
  readonly onKept?: () => void
  /** What had to be fetched has come whole, and is kept from now on. */
  readonly onStored?: () => void
  /** No publisher's image could be reached, so that one is made of packages. */
  readonly onUnreachable?: (error: SourcesUnreachableError) => void
}

export type WantedImage = {
  readonly reference: ImageReference
  readonly sha256: Sha256 | undefined
  readonly context: ImageContext
  /** What an image is to hold that is made of packages. */
  readonly bootstrap: BootstrapRequest | undefined
  readonly imageCheck: ImageCheck
  /** Whether only the newest will do: then an image that is here is no way out where its publisher can't be reached. */
  readonly isNewest?: boolean
  readonly archive: ArchiveContext
  /** They decide what the image's layer is; undefined where no environment is made of it. */
  readonly archives?: ArchiveFacts | undefined
  readonly standardInput?: StandardInput
}

type ImagePlace = {
  readonly signal: AbortSignal
  /** With which an image is made; undefined where none has to be. */
  readonly means: (Omit<Means, 'storage'> & Partial<Pick<Means, 'storage'>>) | undefined
}

/** What a command tells of an image that was, or would be, fetched or made. */
export type PulledImage = {
  readonly name: string
  readonly version: string
  readonly source: string
  readonly architecture: string
  /** Without secrets. */
  readonly url: string
  /** Null where nobody can say it yet: of an image that would be made here. */
  readonly sha256: Sha256 | null
  /** Null where nobody says it before it is fetched. */
  readonly sizeBytes: number | null
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  /** It was here already. */
  readonly wasKept: boolean
}

/** What is known of the image, and what is left to be done. */
type ImageState =
  /** To be fetched, or read where it is. */
  | {
      readonly kind: 'fetch'
      readonly image: ResolvedImage
      readonly sizeBytes?: number | undefined
      readonly wasKept?: boolean
      readonly question: Question | undefined
    }
  | {readonly kind: 'make'; readonly making: ArchiveImage; readonly question: Question}
  /** Here. `question`: what it is today's answer to, where that is not written down yet. */
  | {
      readonly kind: 'kept'
      readonly image: KeptImage
      readonly wasKept: boolean
      readonly fallback?: string | undefined
      readonly question?: Question | undefined
    }

/**
 * The image that a command wants, from its reference to its bytes: resolved, then fetched or made, and remembered as the
 * answer of the day. The one way for `create`, `import`, `try` and `image pull`. `close` must be called.
 */
export class ImageToUse {
  readonly #answers: RecentAnswers
  #state: ImageState | undefined
  #tell: (event: ArchiveProgress) => void = () => {}
  #making: ArchiveImage | undefined
  #opened: OpenedImage | undefined
  /** Why an image is made that would have been fetched. */
  #unreachable: SourcesUnreachableError | undefined

  constructor(
    private readonly host: Host,
    private readonly wanted: WantedImage,
    private readonly place: ImagePlace,
  ) {
    const {images, cache} = host.paths
    this.#answers = openRecentAnswers({images, cacheFolder: cache, now: wanted.context.now})
  }

  /** Whether it is made of packages, as far as that is known before anybody is asked. */
  get isMade(): boolean {
    return this.wanted.bootstrap !== undefined
  }

  /**
   * Finds out which image is wanted: of one that is made of packages, which packages it is to hold. Ubuntu's releases, where
   * no server of images can be reached and the name leaves it open, are made of their packages.
   *
   * @returns What is left to be done; nothing for `kept`.
   * @throws As `resolveImage` and `ArchiveImage.choose`.
   */
  async resolve({onResolved, onMaking}: ResolveHooks): Promise<'fetch' | 'make' | 'kept'> {
    this.#tell = onMaking ?? this.#tell
    this.#state ??= await this.#find(onResolved)
    return this.#state.kind
  }

  /**
   * Gets hold of its bytes, as soon as the first of them are here.
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

  /** Sees to it that it is kept here, whole. @throws As `resolve`, `fetchAndKeep` and `ArchiveImage.make`. */
  async keep(hooks: FetchHooks): Promise<void> {
    await this.resolve(hooks)
    const state = await this.#made()
    if (state.kind === 'fetch') this.#state = {...state, sizeBytes: await this.#fetch(state.image, hooks)}
    await this.#remember(state)
  }

  /** @throws {Error} Before `resolve`, and of an image without a name. */
  describe(): PulledImage {
    const state = this.#state
    if (state === undefined) throw new Error('resolve comes first')
    switch (state.kind) {
      case 'fetch':
        if (!isPublished(state.image)) throw new Error('an image without a name')
        return described(factsOf(state.image), {...state, sha256: state.image.digest})
      case 'make':
        return described(state.making.describe(), {})
      case 'kept':
        return described(state.image, {...state.image, wasKept: state.wasKept})
    }
  }

  /** Why the archive could not be asked, so that the newest one here is what there is. */
  get fallback(): string | undefined {
    return this.#state?.kind === 'kept' ? this.#state.fallback : undefined
  }

  /** The tree of an image that was made just now, once. */
  takeTree(): FreshTree | undefined {
    return this.#making?.takeTree()
  }

  async close(): Promise<void> {
    try {
      await this.#opened?.close()
    } finally {
      await this.#making?.close()
    }
  }

  async #find(onResolved: ResolveHooks['onResolved']): Promise<ImageState> {
    const {reference, bootstrap, context, isNewest = false} = this.wanted
    if (bootstrap !== undefined) return this.#choose(bootstrap, onResolved)
    const question = reference.kind === 'name' ? questionOfImage(reference.query, context) : undefined
    const known = question === undefined ? undefined : await this.#recall(question)
    if (known !== undefined) return {kind: 'kept', image: known, wasKept: true}
    try {
      return await this.#ask(reference, question, onResolved)
    } catch (error) {
      const isWayOut = error instanceof SourcesUnreachableError && !isNewest && isOpen(reference)
      if (!isWayOut) throw error
      this.#unreachable = error
      const instead = await planBootstrap(reference.query, USUAL_ARCHIVE, context.now)
      return this.#insteadOf(() => this.#choose(instead, onResolved))
    }
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
    const {means, signal} = this.place
    const {archive} = this.wanted
    if (means === undefined) throw new Error('nothing was chosen to make an image with')
    const question = questionOfPackages(bootstrap, means, archive)
    const known = await this.#recall(question)
    if (known !== undefined) return {kind: 'kept', image: known, wasKept: true}
    const onEvent = (event: ArchiveProgress) => this.#tell(event)
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

  /** What there is once an image is made that has to be. */
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

  /** Whether an environment needs no byte of the archive. */
  async #isUnpacked(sha256: Sha256): Promise<boolean> {
    const {archives} = this.wanted
    const {means} = this.place
    if (means?.storage !== 'overlay' || archives === undefined) return false
    return isUnpacked(this.host, sha256, {identity: means.identity, archives})
  }

  async #fetch(image: ResolvedImage, {onProgress}: FetchHooks): Promise<number> {
    if (!isPublished(image)) throw new Error('only an image with a name is kept')
    const {images} = this.host.paths
    const context = this.#context
    // Tidying up is nobody's errand: where it can't be done, the command that came by goes on.
    await sweepImages(images, context.now).catch((error: unknown) => {
      if (!isErrno(error)) throw error
    })
    const {signal} = this.place
    const {lock, sizeBytes} = await fetchAndKeep(image, {images, context}, {signal, onProgress})
    lock.release()
    return sizeBytes
  }

  /** @throws What the servers of images failed with, where the package archive can't be reached either. */
  async #insteadOf<T>(make: () => Promise<T>): Promise<T> {
    try {
      return await make()
    } catch (error) {
      throw this.#unreachable !== undefined && isUnreachable(error) ? this.#unreachable : error
    }
  }

  async #recall(question: Question): Promise<KeptImage | undefined> {
    const {imageCheck, sha256, isNewest = false} = this.wanted
    if (isNewest || imageCheck === 'always') return undefined
    const known = await this.#answers.recall(question)
    return sha256 === undefined || sha256 === known?.sha256 ? known : undefined
  }

  /** Who creates an environment of it today need not ask. */
  async #remember(state: Exclude<ImageState, {kind: 'make'}>): Promise<void> {
    const digest = state.kind === 'fetch' ? state.image.digest : state.image.sha256
    if (state.question !== undefined && digest !== undefined)
      await this.#answers.remember(state.question, digest)
  }

  get #context(): ImageContext {
    return {...this.wanted.context, signal: this.place.signal}
  }
}

function stateOf({kept, wasKept, fallback}: MadeImage, question: Question): ImageState & {kind: 'kept'} {
  const isAnswer = fallback === undefined
  return {kind: 'kept', image: kept, wasKept, fallback, question: isAnswer ? question : undefined}
}

function described(
  {name, version, source, architecture, url, signer, signedAt}: ImageFacts,
  known: {
    readonly sha256?: Sha256
    readonly sizeBytes?: number | undefined
    readonly wasKept?: boolean
  },
): PulledImage {
  const {sha256 = null, sizeBytes = null, wasKept = false} = known
  return {name, version, source, architecture, url, sha256, sizeBytes, signer, signedAt, wasKept}
}

/** What decides about an image that is made of packages. */
function questionOfPackages(
  bootstrap: BootstrapRequest,
  {identity}: Pick<Means, 'identity'>,
  context: ArchiveContext,
): Question {
  return {bootstrap, identity, mirrors: context.mirrors, ...judgesOf(context)}
}

/** Whether it is a release of Ubuntu whose publisher's images are as good as one that is made. */
function isOpen(reference: ImageReference): reference is NamedReference {
  if (reference.kind !== 'name') return false
  const {variant, source, distribution} = reference.query
  return variant === undefined && source === undefined && distribution === 'ubuntu'
}

function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}
