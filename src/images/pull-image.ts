import {errnoOf, UsageError} from '../errors.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {redactUrl} from '../host/http/redact-url.js'
import {ImageRecordUnreadableError} from './cache/errors.js'
import {fetchAndKeep} from './cache/keep.js'
import {readKept} from './cache/kept-images.js'
import {sweepImages} from './cache/removal.js'
import type {FetchHooks} from './download-image.js'
import {findImage} from './find-image.js'
import {queryFor} from './open-image.js'
import type {ImageQuery, PublishedImage} from './published-image.js'
import {openRecentAnswers, questionOfImage} from './recent-answers.js'
import type {ImageReference} from './reference.js'
import type {ImageContext} from './sources/source.js'

/** What is told of an image that was, or would be, fetched. */
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

/** Fetching an image to be kept, step by step so that a caller can show them: find, fetch. */
export class ImagePull {
  #found:
    | {
        readonly query: ImageQuery
        readonly image: PublishedImage
        readonly wasKept: boolean
        readonly sizeBytes: number | undefined
      }
    | undefined

  constructor(
    private readonly reference: ImageReference,
    private readonly host: Pick<Host, 'paths' | 'architecture'>,
    private readonly context: ImageContext,
  ) {}

  /**
   * Asks the publishers for the newest one.
   *
   * @throws {UsageError} When the reference is no name.
   * @throws As `queryFor` and `findImage`.
   */
  async find(): Promise<void> {
    const {reference, context, host} = this
    if (reference.kind !== 'name') {
      throw new UsageError('Only an image with a name can be pulled.', [
        'To use a file, a URL or standard input: envs create',
      ])
    }
    const query = await queryFor(reference, {architecture: host.architecture, context})
    const image = await findImage(query, context)
    const kept = await readKept(host.paths.images, image.sha256).catch((error: unknown) => {
      if (error instanceof ImageRecordUnreadableError) return undefined
      throw error
    })
    this.#found = {query, image, wasKept: kept !== undefined, sizeBytes: kept?.sizeBytes ?? image.sizeBytes}
  }

  /** Fetches it, unless it is here. @throws As `fetchAndKeep`. */
  async fetch(hooks: FetchHooks): Promise<void> {
    const {context} = this
    const {images, cache} = this.host.paths
    const {image, ...found} = this.#foundNow()
    // Tidying up is nobody's errand: where it can't be done, the command that came by goes on.
    await sweepImages(images, context.now).catch((error: unknown) => {
      if (errnoOf(error) === undefined) throw error
    })
    const {lock, sizeBytes} = await fetchAndKeep(image, {images, context}, hooks)
    lock.release()
    this.#found = {...found, image, sizeBytes}
    const answers = openRecentAnswers({images, cacheFolder: cache, now: context.now})
    await answers.remember(questionOfImage(found.query, context), image.sha256)
  }

  describe(): PulledImage {
    const {image, wasKept, sizeBytes = null} = this.#foundNow()
    const {name, version, source, architecture, url, sha256, evidence} = image
    const {signer, signedAt} = evidence
    return {
      ...{name, version, source, architecture},
      url: redactUrl(url),
      ...{sha256, sizeBytes, signer, signedAt, wasKept},
    }
  }

  #foundNow() {
    if (this.#found === undefined) throw new Error('find comes first')
    return this.#found
  }
}
