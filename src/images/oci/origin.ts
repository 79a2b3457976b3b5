import * as v from 'valibot'
import {orNull, type RecordOf} from '../../host/records.js'
import type {OciDigest} from '../../registry/descriptor.js'

const textsField = v.array(v.string())

/** How an image of containers is to be run, from its configuration. Its texts are untrusted. */
export const runConfigSchema = v.object({
  /** `NAME=VALUE` */
  env: textsField,
  workingFolder: orNull(v.string()),
  /** `NAME`, `UID`, or either with `:GROUP`. */
  user: orNull(v.string()),
  entrypoint: textsField,
  command: textsField,
  labels: v.record(v.string(), v.string()),
  /** Recorded, without an effect: `80/tcp`, `/var/lib/data`, `SIGTERM`. */
  ports: textsField,
  volumes: textsField,
  stopSignal: orNull(v.string()),
})

export type RunConfigRecord = RecordOf<typeof runConfigSchema>

/** Not that of src/registry: each session loads this file. */
const ociDigestField = v.custom<OciDigest>(
  (value) => typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value),
  'a SHA-256 digest',
)

/** Where an image of containers came from, and its configuration. Part of the records of images and of environments. */
export const containerOriginSchema = v.object({
  /** As `envs create` accepts it: `docker.io/library/debian:12`. */
  reference: v.string(),
  /** Digest of the list of platforms; null if there was none. */
  index: orNull(ociDigestField),
  manifest: ociDigestField,
  configuration: ociDigestField,
  /** `linux/arm64/v8` */
  platform: v.string(),
  /** The registry that answered, or its mirror; null for a folder or an archive. */
  registry: orNull(v.string()),
  config: runConfigSchema,
})

export type ContainerOrigin = RecordOf<typeof containerOriginSchema>

/** Returns `NAME@sha256:…`, which means this image for ever. */
export function pinnedName({
  reference,
  manifest,
}: {
  readonly reference: string
  readonly manifest: string
}): string {
  return `${reference.replace(/@sha256:[0-9a-f]{64}$/, '')}@${manifest}`
}
