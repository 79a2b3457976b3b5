import type {Readable} from 'node:stream'
import type {Sha256} from '../host/digest.js'
import {digestMismatchError} from '../host/errors.js'
import type {BlobSource} from '../registry/blob-source.js'
import type {ArchiveOrigin} from './cache/record.js'
import type {ContainerImage} from './oci/container-image.js'

/** An image ready for extraction, held open until it is closed. */
export type OpenedImage = OpenedTarballs | OpenedContainer

/** One tarball, or several from the lowest to the highest. */
export type OpenedTarballs = OpenedImageBase & {
  /** Most images have one. */
  readonly layers: readonly [OpenedLayer, ...OpenedLayer[]]
}

/** An image of containers, whose layers are fetched one by one. */
export type OpenedContainer = OpenedImageBase & {
  readonly container: ContainerImage
  readonly blobs: BlobSource
}

type OpenedImageBase = {
  /** For display and records: the absolute path, the URL without secrets, or `-`. */
  readonly source: string
  /** The required digest; undefined if any bytes are accepted. */
  readonly expected: Sha256 | undefined
  /** Whether `identify` has to read the whole tarball. */
  readonly isReadToIdentify: boolean
  /**
   * Returns the identity of the image; undefined if it is unknown before the bytes are read.
   *
   * @throws {DigestMismatchError} @throws {@link imageUnreadableError} @throws {@link imageChangedError}
   */
  identify(): Promise<IdentifiedImage | undefined>
  /**
   * Verifies the bytes that were read. To be called after the extraction, before its result is used.
   *
   * @throws {DigestMismatchError}
   * @throws {@link imageChangedError} If the file was written to in the meantime.
   * @throws {@link imageUnreadableError} If the stream failed or was left before its end.
   * @throws {@link imageReplacedError} If a restarted download delivered other bytes.
   * @throws {NetworkError} If a download failed.
   */
  verify(): Promise<ImageEvidence>
  /** Closes the file or the stream; idempotent, and allowed at any time. */
  close(): Promise<void>
}

/** A tarball ready for extraction. */
export type OpenedLayer = {
  /** A regular file as a descriptor at its start, for the standard input of a child; anything else as a stream. */
  readonly bytes: Readable | {readonly fd: number}
  readonly sizeBytes: number | undefined
}

/** Evidence about the bytes, once all of them are read. */
export type ImageEvidence = {readonly sizeBytes: number} & IdentifiedImage

/** The digest of an image, and the trust in it. */
export type IdentifiedImage = {readonly sha256: Sha256} & Vouching

/** Who vouches for the bytes. */
export type Vouching =
  /** A publisher vouches: its listing with the digest is signed by a pinned key. */
  | {readonly trust: 'signed'; readonly publication: Publication}
  /**
   * `signed`: the image of a registry, as {@link ContainerImage.signature} says; `digest`: the caller gave the digest; `registry`: a
   * registry did; `unverified`: the bytes have no digest to check.
   */
  | {readonly trust: 'signed' | 'digest' | 'registry' | 'unverified'; readonly publication?: undefined}

/** Facts of a signed listing about an image, besides its digest. */
export type Publication = {
  /** Canonical name: `ubuntu:focal/base`. */
  readonly name: string
  /** Point release or serial. */
  readonly version: string
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  /** For an image built here: the packages that the signature covers. */
  readonly archive: ArchiveOrigin | null
}

/** Returns the identity of bytes that are not read yet, from the required digest. */
export function identifyByDigest(expected: Sha256 | undefined): IdentifiedImage | undefined {
  return expected === undefined ? undefined : {sha256: expected, trust: 'digest'}
}

/** Compares the digest of the bytes with the required digest. @throws {DigestMismatchError} */
export function judge(
  {sha256, sizeBytes}: {sha256: Sha256; sizeBytes: number},
  {source, expected}: {source: string; expected: Sha256 | undefined},
): ImageEvidence {
  if (expected === undefined) return {sha256, sizeBytes, trust: 'unverified'}
  if (expected !== sha256) throw digestMismatchError({source, expected, actual: sha256})
  return {sha256, sizeBytes, trust: 'digest'}
}
