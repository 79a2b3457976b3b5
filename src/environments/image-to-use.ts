import type {ArchiveContext} from '../archive/context.js'
import type {Sha256} from '../host/digest.js'
import {digestMismatchError} from '../host/errors.js'
import type {Host} from '../host/host.js'
import type {DownloadEvent} from '../host/http/receive.js'
import type {KeptImage} from '../images/cache/kept-images.js'
import {openNamedImage} from '../images/named-image.js'
import {openImage, queryFor} from '../images/open-image.js'
import type {OpenedImage} from '../images/opened-image.js'
import type {ImageQuery} from '../images/published-image.js'
import {type Question, questionOfImage} from '../images/recent-answers.js'
import type {ImageReference} from '../images/reference.js'
import type {Resolution} from '../images/resolve-image.js'
import {SourcesUnreachableError} from '../images/sources/errors.js'
import type {ImageContext} from '../images/sources/source.js'
import type {StandardInput} from '../images/stream-image.js'
import type {ArchiveFacts} from '../rootfs/tree-process.js'
import {AnswersOfToday, type ImageCheck, questionOfPackages} from './answers-of-today.js'
import {ArchiveImage, type FreshTree, isUnreachable, type MadeImage} from './archive-image.js'
import type {BootstrapEvent} from './bootstrap-configure.js'
import {type BootstrapRequest, planBootstrap, USUAL_ARCHIVE} from './bootstrap-request.js'
import type {Means} from './creation-means.js'
import {isUnpacked} from './image-layer.js'

/** How far the making of an image is; `wait`: another command makes the same one. */
export type ArchiveProgress = BootstrapEvent | {readonly stage: 'wait'}

/** What is told of while the image comes. */
export type FetchHooks = {
  readonly onProgress: (event: DownloadEvent) => void
  /** What a name stands for, once that is known. */
  readonly onResolved: (resolution: Resolution) => void
  /** Of an image that is made here. */
  readonly onMaking?: (event: ArchiveProgress) => void
  /** It is kept here, so that nothing has to be fetched. */
  readonly onKept?: () => void
  /** What had to be fetched has come whole, and is kept from now on. */
  readonly onStored?: () => void
  /** No publisher's image could be reached, so that one is made of packages. */
  readonly onUnreachable?: (error: SourcesUnreachableError) => void
}

type Wanted = {
  readonly reference: ImageReference
  readonly architecture: Host['architecture']
  readonly sha256: Sha256 | undefined
  readonly context: ImageContext
  readonly bootstrap: BootstrapRequest | undefined
  readonly imageCheck: ImageCheck
  readonly archive: ArchiveContext
  /** They decide what the image's layer is. */
  readonly archives: ArchiveFacts
  readonly standardInput?: StandardInput
}

type Place = Means & {readonly signal: AbortSignal}

/** The image of a new environment: one that is opened as it comes, or one that has to be made first. */
export class ImageToUse {
  #making: ArchiveImage | undefined
  #found: MadeImage | undefined
  #tell: (event: ArchiveProgress) => void = () => {}
  #image: OpenedImage | undefined
  readonly #answers: AnswersOfToday

  constructor(
    private readonly host: Host,
    private readonly wanted: Wanted,
    private readonly place: Place,
  ) {
    this.#answers = new AnswersOfToday(host, {...wanted, now: wanted.context.now})
  }

  /** Whether it is made of packages, as far as that is known before anybody is asked. */
  get isMade(): boolean {
    return this.wanted.bootstrap !== undefined
  }

  /**
   * Finds out which packages an image that is made of them is to hold; to be called before `open`, or not at all.
   *
   * @returns Whether it has to be made.
   * @throws As `ArchiveImage.choose`.
   */
  async choose(hooks: Pick<FetchHooks, 'onMaking' | 'onResolved'>): Promise<boolean> {
    const {bootstrap} = this.wanted
    if (bootstrap === undefined) throw new Error('it is not made of packages')
    this.#found = await this.#choose(bootstrap, hooks)
    return this.#found === undefined
  }

  /**
   * Gets hold of it. Ubuntu's releases, where no server of images can be reached and the name leaves it open, are made of
   * their packages.
   *
   * @throws As `openImage` and `ArchiveImage.make`.
   */
  async open(hooks: FetchHooks): Promise<OpenedImage> {
    const {bootstrap} = this.wanted
    this.#image =
      bootstrap === undefined ? await this.#openPublished(hooks) : await this.#make(bootstrap, hooks)
    return this.#image
  }

  /** The tree of an image that was made just now, once. */
  takeTree(): FreshTree | undefined {
    return this.#making?.takeTree()
  }

  async close(): Promise<void> {
    try {
      await this.#image?.close()
    } finally {
      await this.#making?.close()
    }
  }

  async #openPublished(hooks: FetchHooks): Promise<OpenedImage> {
    const {reference, architecture, sha256, context, standardInput} = this.wanted
    const {paths} = this.host
    const {onMaking: _, onUnreachable: __, onKept, ...opening} = hooks
    let answer: Resolution | undefined
    const options = {
      ...{sha256, architecture, standardInput},
      cacheFolder: paths.cache,
      images: paths.images,
      context: {...context, signal: this.place.signal},
      ...opening,
      onResolved(resolution: Resolution) {
        answer = resolution
        hooks.onResolved(resolution)
      },
    }
    const question =
      reference.kind === 'name' ? questionOfImage(await queryFor(reference, options), context) : undefined
    const known = question === undefined ? undefined : await this.#answers.recall(question)
    if (known !== undefined) return this.#openKept(known, onKept)
    try {
      const image = await openImage(reference, options)
      if (question !== undefined && answer?.kind === 'published')
        await this.#answers.remember(question, answer.image.sha256)
      return image
    } catch (error) {
      const query = error instanceof SourcesUnreachableError ? await openQuery(reference, options) : undefined
      if (query === undefined || !(error instanceof SourcesUnreachableError)) throw error
      return this.#makeInstead(await planBootstrap(query, USUAL_ARCHIVE, context.now), hooks, error)
    }
  }

  /** @throws What the servers of images failed with, where the package archive can't be reached either. */
  async #makeInstead(
    bootstrap: BootstrapRequest,
    hooks: FetchHooks,
    unreachable: SourcesUnreachableError,
  ): Promise<OpenedImage> {
    try {
      const image = await this.#make(bootstrap, hooks)
      hooks.onUnreachable?.(unreachable)
      return image
    } catch (error) {
      throw isUnreachable(error) ? unreachable : error
    }
  }

  async #choose(
    bootstrap: BootstrapRequest,
    {onMaking, onResolved}: Pick<FetchHooks, 'onMaking' | 'onResolved'>,
  ): Promise<MadeImage | undefined> {
    this.#tell = onMaking ?? (() => {})
    const onEvent = (event: ArchiveProgress) => this.#tell(event)
    const context: ArchiveContext = {
      ...this.wanted.archive,
      allowExpired: bootstrap.allowExpired,
      signal: this.place.signal,
      onProgress: onEvent,
    }
    const kept = await this.#answers.recall(this.#packages(bootstrap))
    if (kept !== undefined) return {kept, wasKept: true, fallback: undefined}
    this.#making = new ArchiveImage(this.host, bootstrap, {...this.place, context, onEvent})
    const found = await this.#making.choose()
    if (found?.fallback !== undefined) onResolved({kind: 'kept', image: found.kept, reason: found.fallback})
    return found
  }

  async #make(bootstrap: BootstrapRequest, hooks: FetchHooks): Promise<OpenedImage> {
    const {sha256} = this.wanted
    if (this.#making === undefined && this.#found === undefined)
      this.#found = await this.#choose(bootstrap, hooks)
    this.#tell = hooks.onMaking ?? (() => {})
    const {kept, fallback} = this.#found ?? (await this.#makeNow())
    if (sha256 !== undefined && sha256 !== kept.sha256)
      throw digestMismatchError({source: kept.name, expected: sha256, actual: kept.sha256})
    const image = await this.#openKept(kept, hooks.onKept)
    const isAnswer = this.#making !== undefined && fallback === undefined
    if (isAnswer) await this.#answers.remember(this.#packages(bootstrap), kept.sha256)
    return image
  }

  async #openKept(image: KeptImage, onKept: FetchHooks['onKept']): Promise<OpenedImage> {
    onKept?.()
    const {paths} = this.host
    const {context} = this.wanted
    const resolution: Resolution = {kind: 'kept', image, reason: ''}
    const {identity, storage} = this.place
    const isRemovable =
      storage === 'overlay' &&
      (await isUnpacked(this.host, image.sha256, {identity, archives: this.wanted.archives}))
    const place = {images: paths.images, cacheFolder: paths.cache}
    return openNamedImage(resolution, {...place, context, isRemovable})
  }

  #packages(bootstrap: BootstrapRequest): Question {
    return questionOfPackages(bootstrap, this.place.identity, this.wanted.archive)
  }

  async #makeNow(): Promise<MadeImage> {
    if (this.#making === undefined) throw new Error('nothing was chosen')
    return this.#making.make()
  }
}

/** A release of Ubuntu whose publisher's images are as good as one that is made; undefined for any other reference. */
async function openQuery(
  reference: ImageReference,
  options: Parameters<typeof queryFor>[1],
): Promise<ImageQuery | undefined> {
  if (reference.kind !== 'name') return undefined
  const query = await queryFor(reference, options)
  const isOpen = query.variant === undefined && query.source === undefined
  return isOpen && query.distribution === 'ubuntu' ? query : undefined
}
