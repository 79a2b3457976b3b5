import type {Sha256} from '../../host/digest.js'
import type {ImageFacts} from '../../images/cache/record.js'
import type {ContainerImage} from '../../images/oci/container-image.js'
import {architectureOf} from '../../registry/platform.js'

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
  /** Null for an image of containers, as is `signedAt`. */
  readonly signer: {readonly fingerprint: string; readonly name: string} | null
  readonly signedAt: Date | null
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

/** Returns the description of an image of containers. */
export function describedContainer(
  {name, digest, layers, platform, registry}: ContainerImage,
  {wasKept}: {readonly wasKept: boolean},
): PulledImage {
  return {
    name,
    version: `sha256:${digest.slice(0, 12)}`,
    source: 'oci',
    architecture: architectureOf(platform) ?? platform.architecture,
    url: registry ?? name,
    sha256: digest,
    sizeBytes: layers.reduce((sum, {blob}) => sum + blob.size, 0),
    signer: null,
    signedAt: null,
    wasKept,
  }
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
  /** The layers of an image of containers. */
  readonly layers?: readonly LayerProgress[]
}

/** Progress of one layer. `waiting`: another command unpacks it. */
export type LayerProgress = {
  /** Of its bytes as they are stored. */
  readonly digest: Sha256
  readonly state: 'pending' | 'waiting' | 'active' | 'done'
  readonly readBytes: number
  readonly totalBytes: number
}

/** A layer that is to be in the store: its digest as it is stored, and its size. */
export type NamedLayer = Pick<LayerProgress, 'digest' | 'totalBytes'>
