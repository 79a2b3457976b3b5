import type {ArchiveContext} from '../../apt/context.js'
import type {Sha256} from '../../host/digest.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import {judgesOf, type Question} from '../../images/cache/recent-answers.js'
import type {StandardInput} from '../../images/local.js'
import type {ImageReference, NamedReference} from '../../images/name.js'
import type {Resolution} from '../../images/resolve.js'
import type {SourcesUnreachableError} from '../../images/sources/errors.js'
import type {ImageContext} from '../../images/sources/source.js'
import type {ArchiveFacts} from '../../rootfs/worker/api.js'
import type {BootstrapEvent} from '../bootstrap/configure.js'
import type {BootstrapRequest} from '../bootstrap/request.js'
import type {Means} from './means.js'
import type {UnpackProgress} from './unpack.js'

/** Progress of making an image from packages; `wait`: another command makes the same image. */
export type ArchiveProgress = BootstrapEvent | {readonly stage: 'wait'}

/** `daily`: the answer of a publisher is reused for a day. */
export type ImageCheck = 'daily' | 'always'

/** Callbacks during the resolution of a reference. */
export type ResolveHooks = {
  /** Called with the image that a name resolves to. */
  readonly onResolved?: (resolution: Resolution) => void
  /** Called with the progress of an image that is made on this host. */
  readonly onMaking?: (event: ArchiveProgress) => void
}

/** Callbacks during the download or the making of an image. */
export type FetchHooks = ResolveHooks & {
  readonly onProgress: (event: DownloadEvent) => void
  /** Called with the progress of layers that are downloaded into the store. */
  readonly onExtraction?: (event: UnpackProgress) => void
  /** Called when the image is in the cache, so that nothing has to be downloaded. */
  readonly onKept?: () => void
  /** Called when the download is complete and in the cache. */
  readonly onStored?: () => void
  /** Called when no image server could be reached, so that the image is made from packages. */
  readonly onUnreachable?: (error: SourcesUnreachableError) => void
}

export type WantedImage = {
  readonly reference: ImageReference
  readonly sha256: Sha256 | undefined
  readonly context: ImageContext
  /** The content of an image that is made from packages; undefined for a published image. */
  readonly bootstrap: BootstrapRequest | undefined
  readonly imageCheck: ImageCheck
  /** Whether only the newest image is acceptable: then a cached image is no fallback when its publisher is unreachable. */
  readonly isNewest?: boolean
  readonly archive: ArchiveContext
  /** Decide the content of the image's layer; undefined if no environment is created from the image. */
  readonly archives?: ArchiveFacts | undefined
  readonly standardInput?: StandardInput
}

/** Returns all inputs that decide which image is made from packages. */
export function questionOfPackages(
  bootstrap: BootstrapRequest,
  {identity}: Pick<Means, 'identity'>,
  context: ArchiveContext,
): Question {
  return {bootstrap, identity, mirrors: context.mirrors, ...judgesOf(context)}
}

/** Returns whether the reference names a release of Ubuntu without a variant or a source, which packages can stand in for. */
export function isOpen(reference: ImageReference): reference is NamedReference {
  if (reference.kind !== 'name') return false
  const {variant, source, distribution} = reference.query
  return variant === undefined && source === undefined && distribution === 'ubuntu'
}
