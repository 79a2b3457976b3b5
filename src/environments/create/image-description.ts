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
