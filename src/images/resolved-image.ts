import type {DebArchitecture} from '../host/arch.js'
import type {Sha256} from '../host/digest.js'
import type {ImageQuery, Variant} from './name.js'

/** Who signed a listing, and the very bytes that were verified; kept so that it can be done again offline. */
export type Evidence = {
  readonly listing: {readonly name: string; readonly bytes: Buffer}
  /** Undefined when the listing carries its signature inside (clearsigned). */
  readonly signature: {readonly name: string; readonly bytes: Buffer} | undefined
  /** URL of the listing, without secrets. */
  readonly url: string
  /** Fingerprint of the pinned primary key, 40 upper-case hex digits, and the name it is known by. */
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
}

/** A publisher's listing with the digest is signed by a pinned key; the listing has the signer and the time. */
export type SignedTrust = {readonly kind: 'signed'; readonly evidence: Evidence}

/**
 * Who vouches for the bytes of an image.
 *
 * `digest`: the caller gave it; `transport`: the server did, over an authenticated connection; `unverified`: nobody.
 */
export type Trust = SignedTrust | {readonly kind: 'digest' | 'transport' | 'unverified'}

/** Where a layer is read. */
export type Location =
  | {readonly kind: 'url'; readonly url: URL}
  | {readonly kind: 'file'; readonly path: string}
  | {readonly kind: 'standard-input'}

/** One tar archive, plain or compressed. */
export type Layer = {
  readonly location: Location
  /** Undefined as long as nobody has read the bytes, or vouched for them. */
  readonly digest: Sha256 | undefined
  /** Undefined where nobody says it in advance. */
  readonly sizeBytes: number | undefined
}

/** What an image is made of. */
export type Content =
  | {readonly kind: 'tarball'; readonly layer: Layer}
  /** From below to above. */
  | {readonly kind: 'layers'; readonly layers: readonly [Layer, ...Layer[]]}
  /** Nothing but packages is published: the image is made here of those of this release. */
  | {readonly kind: 'packages'; readonly query: ImageQuery}

/** How an image is listed and kept. */
export type ImageLabel = {
  /** Canonical name, as `envs create` takes it: `ubuntu:focal/base`. */
  readonly name: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  /** Point release or serial: `20.04.5`; the day its listing was signed where the folder tells neither. */
  readonly version: string
}

/** What a source gives for a reference, before any byte of the image is read. */
export type ResolvedImage = {
  /** Id of the source: `ubuntu-base`. */
  readonly source: string
  /** Of the whole image; undefined as long as nobody has read it, or vouched for it. */
  readonly digest: Sha256 | undefined
  readonly trust: Trust
  readonly content: Content
  /** Undefined for an image that is read where it is, and not kept. */
  readonly label: ImageLabel | undefined
}

/** An image that is kept under its name: one tarball, whose digest is in a verified listing. */
export type PublishedImage = ResolvedImage & {
  readonly digest: Sha256
  readonly trust: SignedTrust
  readonly content: {
    readonly kind: 'tarball'
    readonly layer: Layer & {readonly location: {readonly kind: 'url'; readonly url: URL}}
  }
  readonly label: ImageLabel
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

/** What is unpacked one after the other: a tarball is one layer. */
export function layersOf(content: Exclude<Content, {kind: 'packages'}>): readonly [Layer, ...Layer[]] {
  return content.kind === 'tarball' ? [content.layer] : content.layers
}
