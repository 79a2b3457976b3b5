import type {Readable} from 'node:stream'
import type {Descriptor, OciDigest} from './descriptor.js'

/** Origin of an image's manifests and blobs: a registry, a layout folder or an archive. */
export type BlobSource = {
  /**
   * Returns a manifest or an index, whose digest is that of its bytes.
   *
   * @param which - A tag or a digest; undefined: the only image, or `latest`.
   * @throws {DigestMismatchError} If `which` is a digest, and the bytes have another.
   */
  manifest(which: string | undefined): Promise<FetchedManifest>
  /**
   * Opens a blob from `offset` (bytes), for a download that is resumed. It ends after the bytes of the descriptor; the caller
   * checks their digest.
   */
  blob(
    descriptor: Descriptor,
    options: {readonly offset?: number; readonly signal: AbortSignal},
  ): Promise<Readable>
  /** Returns manifests that refer to a digest, such as signatures; empty if there are none. */
  referrers(digest: OciDigest, artifactType?: string): Promise<readonly Descriptor[]>
  close(): Promise<void>
}

export type FetchedManifest = {
  readonly bytes: Buffer
  /** As the source called it; undefined if it did not. */
  readonly mediaType: string | undefined
  readonly digest: OciDigest
}
