import type {Readable} from 'node:stream'
import type {Sha256} from '../host/digest.js'
import {digestMismatchError} from '../host/errors.js'
import type {ArchiveOrigin} from './cache/record.js'

/** What is known of the bytes that were read, once all of them were. */
export type ImageEvidence = {readonly sizeBytes: number} & IdentifiedImage

/** Which bytes an image stands for. */
export type IdentifiedImage = {readonly sha256: Sha256} & Vouching

/** Who vouches for the bytes. */
export type Vouching =
  /** A publisher, whose listing with their digest is signed by a pinned key. */
  | {readonly trust: 'signed'; readonly publication: Publication}
  /** `digest`: they are those of the digest the caller gave; `unverified`: nobody did. */
  | {readonly trust: 'digest' | 'unverified'}

/** What a signed listing says of an image, beside its digest. */
export type Publication = {
  /** Canonical name: `ubuntu:focal/base`. */
  readonly name: string
  /** Point release or serial. */
  readonly version: string
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  /** Of an image that was made here: the signature is on what it was made of. */
  readonly archive: ArchiveOrigin | null
}

/** A tar archive ready to be extracted. */
export type OpenedLayer = {
  /** A regular file as a descriptor at its start, for a child's standard input; anything else as a stream. */
  readonly bytes: Readable | {readonly fd: number}
  readonly sizeBytes: number | undefined
}

/** An image ready to be extracted, and held open until then. */
export type OpenedImage = {
  /** To show and to store: the absolute path, the URL without its secrets, or `-`. */
  readonly source: string
  /** From below to above; most images have one. */
  readonly layers: readonly [OpenedLayer, ...OpenedLayer[]]
  /** The digest it must have; undefined where whatever comes is taken. */
  readonly expected: Sha256 | undefined
  /** Whether `identify` reads all of the archive first. */
  readonly isReadToIdentify: boolean
  /**
   * What the image is, where that can be told without anybody reading the archive; undefined where it can't.
   *
   * @throws {DigestMismatchError} @throws {@link imageUnreadableError} @throws {@link imageChangedError}
   */
  identify(): Promise<IdentifiedImage | undefined>
  /**
   * Tells what was read; to be called after the extraction, and before anything made of it is used.
   *
   * @throws {DigestMismatchError}
   * @throws {@link imageChangedError} When the file was written to in the meantime.
   * @throws {@link imageUnreadableError} When the stream failed or was left before its end.
   * @throws {@link imageReplacedError} When a download began anew with other bytes.
   * @throws {NetworkError} When a download failed.
   */
  verify(): Promise<ImageEvidence>
  /** Lets go of the file or the stream; may be called at any time, and again. */
  close(): Promise<void>
}

/** What is known of bytes that nobody has seen yet. */
export function identifyByDigest(expected: Sha256 | undefined): IdentifiedImage | undefined {
  return expected === undefined ? undefined : {sha256: expected, trust: 'digest'}
}

/** @throws {DigestMismatchError} */
export function judge(
  {sha256, sizeBytes}: {sha256: Sha256; sizeBytes: number},
  {source, expected}: {source: string; expected: Sha256 | undefined},
): ImageEvidence {
  if (expected === undefined) return {sha256, sizeBytes, trust: 'unverified'}
  if (expected !== sha256) throw digestMismatchError({source, expected, actual: sha256})
  return {sha256, sizeBytes, trust: 'digest'}
}
