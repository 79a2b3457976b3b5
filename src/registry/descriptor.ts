import * as v from 'valibot'
import {sha256Of} from '../host/digest.js'

/** A digest as registries write it. SHA-512, which the specification allows too, is in no known image. */
export type OciDigest = `sha256:${string}`

/**
 * A reference to bytes by their digest.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md
 */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: OciDigest
  /** Bytes. */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly artifactType?: string
  readonly platform?: OciPlatform
}

/** The platform of an image: `linux`, `arm64`, `v8`. @see https://go.dev/doc/install/source#environment */
export type OciPlatform = {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
}

export function isOciDigest(text: string): text is OciDigest {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

export function ociDigestOf(bytes: Uint8Array): OciDigest {
  return `sha256:${sha256Of(bytes)}`
}

export const digestField = v.custom<OciDigest>(
  (value) => typeof value === 'string' && isOciDigest(value),
  'a SHA-256 digest, as sha256:…',
)

const sizeField = v.pipe(v.number(), v.safeInteger('a number of bytes'), v.minValue(0, 'a number of bytes'))

/** Unknown fields are dropped: `urls` among them, so that no layer is fetched from a place that a manifest names. */
export const descriptorField = v.object({
  mediaType: v.string(),
  digest: digestField,
  size: sizeField,
  annotations: v.exactOptional(v.record(v.string(), v.string())),
  artifactType: v.exactOptional(v.string()),
  platform: v.exactOptional(
    v.object({os: v.string(), architecture: v.string(), variant: v.exactOptional(v.string())}),
  ),
})
