import type {Sha256} from '../host/digest.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import type {BlobSource} from '../registry/blob-source.js'
import type {ImageQuery, Variant} from './name.js'
import type {ContainerImage} from './oci/container-image.js'

/** The result of a source for a reference, before any byte of the image is read. */
export type ResolvedImage = {
  /** Id of the source: `ubuntu-base`. */
  readonly source: string
  /** Digest of the whole image; undefined until the image is read or a listing gives the digest. */
  readonly digest: Sha256 | undefined
  readonly trust: Trust
  readonly content: Content
  /** Undefined for an image that is not cached. */
  readonly label: ImageLabel | undefined
}

/** An image that is cached under its name: one tarball, whose digest is in a verified listing. */
export type PublishedImage = ResolvedImage & {
  readonly digest: Sha256
  readonly trust: SignedTrust
  readonly content: {
    readonly kind: 'tarball'
    readonly layer: Layer & {readonly location: {readonly kind: 'url'; readonly url: URL}}
  }
  readonly label: ImageLabel
}

/** Content of an image. */
export type Content =
  | {readonly kind: 'tarball'; readonly layer: Layer}
  /** From lowest to highest. */
  | {readonly kind: 'layers'; readonly layers: readonly [Layer, ...Layer[]]}
  | ContainerContent
  /** The image is built here from the packages of this release. */
  | {readonly kind: 'packages'; readonly query: ImageQuery}

/** An image of containers: layers with whiteouts, and a configuration. `source` is open, and has the layers. */
export type ContainerContent = {
  readonly kind: 'container'
  readonly image: ContainerImage
  readonly source: BlobSource
}

/** One tarball, plain or compressed. */
export type Layer = {
  readonly location: LayerLocation
  /** Undefined until the bytes are read or a listing gives the digest. */
  readonly digest: Sha256 | undefined
  /** Undefined if it is not known in advance. */
  readonly sizeBytes: number | undefined
}

/** Location of a layer. */
export type LayerLocation =
  | {readonly kind: 'url'; readonly url: URL}
  | {readonly kind: 'file'; readonly path: string}
  | {readonly kind: 'standard-input'}

/** The signer of a listing, and the verified bytes; stored so that the check can be repeated offline. */
export type Evidence = {
  readonly listing: {readonly name: string; readonly bytes: Buffer}
  /** Undefined if the listing is clearsigned. */
  readonly signature: {readonly name: string; readonly bytes: Buffer} | undefined
  /** URL of the listing, without secrets. */
  readonly url: string
  /** Fingerprint of the pinned primary key, 40 upper-case hex digits, and its name. */
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
}

/** Trust in a listing that is signed by a pinned key. */
export type SignedTrust = {readonly kind: 'signed'; readonly evidence: Evidence}

/**
 * Trust in the bytes of an image.
 *
 * `signature`: the image has the signatures that were demanded; `digest`: the caller gave the digest; `transport`: the server is authenticated; `registry`: so is the registry, whose digests are
 * checked; `unverified`: no digest is known.
 */
export type Trust =
  | SignedTrust
  | {readonly kind: 'signature' | 'digest' | 'transport' | 'registry' | 'unverified'}

/** Name and properties under which an image is listed and cached. */
export type ImageLabel = {
  /** Canonical name, as `envs create` takes it: `ubuntu:focal/base`. */
  readonly name: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  /** Point release or serial: `20.04.5`; else the day on which the listing was signed. */
  readonly version: string
}

export function isPublished(image: ResolvedImage): image is PublishedImage {
  const {label, digest, trust, content} = image
  return (
    label !== undefined &&
    digest !== undefined &&
    trust.kind === 'signed' &&
    content.kind === 'tarball' &&
    content.layer.location.kind === 'url'
  )
}

/** Returns the layers to extract, in order; a tarball is one layer. */
export function layersOf(
  content: Exclude<Content, {kind: 'packages' | 'container'}>,
): readonly [Layer, ...Layer[]] {
  return content.kind === 'tarball' ? [content.layer] : content.layers
}
