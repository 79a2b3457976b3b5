import type {Sha256} from '../../host/digest.js'
import type {ImageFacts} from '../../images/cache/record.js'

/** The description of an image that was, or would be, downloaded or made. */
export type PulledImage = {
  readonly name: string
  readonly version: string
  readonly source: string
  readonly architecture: string
  /** Without credentials. */
  readonly url: string
  /** Null for an image that would be made on this host: its digest is not known yet. */
  readonly sha256: Sha256 | null
  /** Null if the server does not state the size before the download. */
  readonly sizeBytes: number | null
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  /** Whether the image was in the cache already. */
  readonly wasKept: boolean
}

/** Returns the description of an image with these facts. */
export function described(
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

/**
 * The remaining step for an image that was found. `download`: its tarball is downloaded, and unpacked meanwhile; `fetch`:
 * it is downloaded into the cache alone; `make`: it is made from packages; `read`: its tarball is on this host.
 */
export type ImageStep = 'none' | 'read' | 'fetch' | 'download' | 'make'

/** Progress of an extraction. `archive`: how much of the tarball was read, if known; in bytes. */
export type ExtractionEvent = {
  readonly stage: 'extraction'
  readonly entries: number
  readonly bytes: number
  readonly archive?: {readonly readBytes: number; readonly totalBytes: number}
}
