import * as v from 'valibot'
import {problemOf} from '../host/records.js'
import {type Descriptor, descriptorField, digestField, type OciDigest} from './descriptor.js'
import {badManifestError} from './errors.js'

/** Media types of the two kinds of manifests, OCI's first. */
export const MEDIA_TYPES = {
  image: [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ],
  index: [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ],
} as const

/** The manifest of one image: its configuration and its layers, the lowest first. */
export type ImageManifest = {
  readonly kind: 'image'
  readonly mediaType: string
  /** Of what is no image to run, such as a signature. */
  readonly artifactType: string | undefined
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations: Readonly<Record<string, string>>
}

/** Manifests of one image for several platforms, and of its attestations. */
export type ImageIndex = {
  readonly kind: 'index'
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly annotations: Readonly<Record<string, string>>
}

/** Maximum size of a manifest and of a configuration; registries take manifests up to this size. */
export const MOST_MANIFEST_BYTES = 4 * 1024 * 1024

/** Docker makes 127 layers at most, and overlayfs stacks 500. */
const MOST_LAYERS = 500
const MOST_MANIFESTS = 10_000

const annotationsField = v.nullish(v.record(v.string(), v.string()), {})

const manifestSchema = v.object({
  schemaVersion: v.literal(2, 'version 2'),
  artifactType: v.exactOptional(v.string()),
  config: descriptorField,
  layers: v.pipe(v.array(descriptorField), v.maxLength(MOST_LAYERS, `a list of ${MOST_LAYERS} at most`)),
  annotations: annotationsField,
})

const indexSchema = v.object({
  schemaVersion: v.literal(2, 'version 2'),
  manifests: v.pipe(
    v.array(descriptorField),
    v.maxLength(MOST_MANIFESTS, `a list of ${MOST_MANIFESTS} at most`),
  ),
  annotations: annotationsField,
})

/**
 * Parses a manifest or an index.
 *
 * The type that a registry sends, and the type that stands in the manifest, must agree, and its fields must be those of
 * this type alone: else two programs could take the same digest for different images.
 *
 * @param contentType - Undefined if only the manifest tells its type, as in a folder.
 * @param source - For the error.
 * @throws {@link badManifestError}
 * @see CVE-2021-41190
 */
export function parseManifest(
  bytes: Buffer,
  contentType: string | undefined,
  source = 'the image',
): ImageManifest | ImageIndex {
  const refuse = (reason: string) => badManifestError({source, reason})
  const json = parseJsonObject(bytes, {what: 'manifest', source})
  const mediaType = mediaTypeOf(json, {contentType, refuse})
  const isIndex = isTypeOf(mediaType, MEDIA_TYPES.index)
  if (!isIndex && !isTypeOf(mediaType, MEDIA_TYPES.image)) throw refuse(describeForeignType(mediaType))
  const foreign = isIndex ? ['config', 'layers'] : ['manifests']
  if (foreign.some((name) => Object.hasOwn(json, name)))
    throw refuse('it has the fields of an image and of an index')
  return isIndex
    ? {kind: 'index', mediaType, ...validated(indexSchema, json, refuse)}
    : {kind: 'image', mediaType, artifactType: undefined, ...validated(manifestSchema, json, refuse)}
}

type Refusal = (reason: string) => Error

function mediaTypeOf(
  {mediaType, ...json}: JsonObject,
  {contentType, refuse}: {contentType: string | undefined; refuse: Refusal},
): string {
  const sent = contentType?.split(';')[0]?.trim().toLowerCase()
  const own = typeof mediaType === 'string' ? mediaType : undefined
  if (own !== undefined && sent !== undefined && own !== sent)
    throw refuse(`its type is "${own}", and it was sent as "${sent}"`)
  const type = sent ?? own
  if (type !== undefined) return type
  // Optional in OCI: the fields tell, and those of both are refused.
  return Object.hasOwn(json, 'manifests') ? MEDIA_TYPES.index[0] : MEDIA_TYPES.image[0]
}

function isTypeOf(type: string, known: readonly string[]): boolean {
  return known.includes(type)
}

function describeForeignType(type: string): string {
  return type.startsWith('application/vnd.docker.distribution.manifest.v1')
    ? 'it has Docker schema 1, a format from before 2017'
    : `"${type}" is not the type of an image`
}

/** The configuration of an image. */
export type ImageConfig = {
  readonly architecture: string
  readonly os: string
  readonly variant: string | undefined
  readonly created: string | undefined
  /** Digests of the layers without their compression, the lowest first. */
  readonly diffIds: readonly OciDigest[]
  readonly config: RunConfig
  readonly history: readonly HistoryEntry[]
}

/** How to run an image, with the names of the specification. */
export type RunConfig = {
  readonly Env: readonly string[]
  readonly WorkingDir: string | undefined
  readonly User: string | undefined
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
  readonly ExposedPorts: readonly string[]
  readonly Volumes: readonly string[]
  readonly StopSignal: string | undefined
}

export type HistoryEntry = {
  readonly created: string | undefined
  readonly createdBy: string | undefined
  readonly comment: string | undefined
  /** It has no layer. */
  readonly isEmpty: boolean
}

/** Builders write empty fields as null, as an empty text, or leave them out. */
const textField = v.pipe(
  v.nullish(v.string(), ''),
  v.transform((text) => (text === '' ? undefined : text)),
)
const textsField = v.nullish(v.array(v.string()), [])
const namesField = v.pipe(
  v.nullish(v.record(v.string(), v.unknown()), {}),
  v.transform((names) => Object.keys(names)),
)

const runConfigSchema = v.object({
  Env: textsField,
  WorkingDir: textField,
  User: textField,
  Entrypoint: textsField,
  Cmd: textsField,
  Labels: v.nullish(v.record(v.string(), v.string()), {}),
  ExposedPorts: namesField,
  Volumes: namesField,
  StopSignal: textField,
})

const configSchema = v.object({
  architecture: v.string(),
  os: v.string(),
  variant: textField,
  created: textField,
  rootfs: v.object({
    type: v.literal('layers', 'layers'),
    diff_ids: v.pipe(
      v.nullish(v.array(digestField), []),
      v.maxLength(MOST_LAYERS, `a list of ${MOST_LAYERS} at most`),
    ),
  }),
  config: v.nullish(runConfigSchema, {}),
  history: v.nullish(
    v.array(
      v.object({
        created: textField,
        created_by: textField,
        comment: textField,
        empty_layer: v.nullish(v.boolean(), false),
      }),
    ),
    [],
  ),
})

/**
 * Parses the configuration of an image.
 *
 * @param source - For the error.
 * @throws {@link badManifestError}
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export function parseImageConfig(bytes: Buffer, source = 'the image'): ImageConfig {
  const refuse = (reason: string) => badManifestError({source, reason: `in its configuration, ${reason}`})
  const {rootfs, history, ...config} = validated(
    configSchema,
    parseJsonObject(bytes, {what: 'configuration', source}),
    refuse,
  )
  return {
    ...config,
    diffIds: rootfs.diff_ids,
    history: history.map(({created, created_by: createdBy, comment, empty_layer: isEmpty}) => ({
      created,
      createdBy,
      comment,
      isEmpty,
    })),
  }
}

type JsonObject = Readonly<Record<string, unknown>>

/** Parses a JSON object of a registry. @throws {@link badManifestError} */
function parseJsonObject(
  bytes: Buffer,
  {what, source}: {readonly what: string; readonly source: string},
): JsonObject {
  const refuse = (reason: string, cause?: unknown) =>
    badManifestError({source, reason: `its ${what} ${reason}`}, {cause})
  if (bytes.length > MOST_MANIFEST_BYTES) throw refuse(`is over ${MOST_MANIFEST_BYTES} bytes`)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw refuse('is not JSON', error)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refuse('is not a JSON object')
  return json as JsonObject
}

function validated<Schema extends v.GenericSchema<unknown, unknown>>(
  schema: Schema,
  json: JsonObject,
  refuse: Refusal,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json, {abortEarly: true})
  if (result.success) return result.output
  const {at, what} = problemOf(result.issues[0])
  throw refuse(`${at ?? 'it'} is ${what}`)
}
