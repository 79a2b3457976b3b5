import type {DebArchitecture} from '../../host/machine/arch.js'
import {type Descriptor, type OciDigest, ociDigestOf} from '../../registry/descriptor.js'
import {MEDIA_TYPES} from '../../registry/manifest.js'
import {platformOf} from '../../registry/platform.js'
import type {LayerCompression} from '../../rootfs/layer/compress.js'
import type {ConfigChanges, RunFields} from './config-changes.js'

/** Form of an image: media types of OCI, or of Docker's schema 2. */
export type ImageFormat = (typeof IMAGE_FORMATS)[number]

export const IMAGE_FORMATS = ['oci', 'docker'] as const

/** A layer as the documents of an image name it. */
export type NamedLayer = {
  readonly digest: OciDigest
  readonly sizeBytes: number
  readonly diffId: OciDigest
  readonly compression: LayerCompression
  readonly annotations?: Readonly<Record<string, string>>
}

/** An entry of the history; without a layer for an image's own steps. */
export type HistoryField = Readonly<Record<string, unknown>> & {readonly empty_layer?: boolean}

/** The configuration of the image below, as it was published. */
export type BaseConfig = {
  /** The whole JSON object. */
  readonly fields: Readonly<Record<string, unknown>>
  /** How many layers of the new image are its. */
  readonly layers: number
}

export type ImageParts = {
  readonly format: ImageFormat
  readonly layers: readonly NamedLayer[]
  /** One entry for each layer that is not of `base`. */
  readonly history: readonly HistoryField[]
  readonly base: BaseConfig | undefined
  readonly architecture: DebArchitecture
  readonly created: string
  /** Configuration of an image that has none. */
  readonly defaults: RunFields
  readonly changes: ConfigChanges
}

/** The documents of an image, byte for byte. */
export type ImageDocuments = {
  readonly config: {readonly bytes: Buffer; readonly descriptor: Descriptor}
  readonly manifest: {readonly bytes: Buffer; readonly descriptor: Descriptor}
}

const TYPES = {
  oci: {
    manifest: MEDIA_TYPES.image[0],
    config: 'application/vnd.oci.image.config.v1+json',
    layers: {
      gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
      zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
      none: 'application/vnd.oci.image.layer.v1.tar',
    },
  },
  docker: {
    manifest: MEDIA_TYPES.image[1],
    config: 'application/vnd.docker.container.image.v1+json',
    layers: {
      gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      // Not in the specification of schema 2; Docker reads what buildx writes so.
      zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
      none: 'application/vnd.docker.image.rootfs.diff.tar',
    },
  },
} as const

/**
 * Composes the configuration and the manifest of an image: the same parts make the same bytes.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export function composeImage(parts: ImageParts): ImageDocuments {
  const types = TYPES[parts.format]
  const config = documentOf(types.config, composeConfig(parts))
  const manifest = documentOf(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: config.descriptor,
    layers: parts.layers.map((layer) => layerDescriptor(layer, parts.format)),
  })
  return {config, manifest}
}

/** Whether documents have the media types of a format. */
export function isOfFormat({manifest}: ImageDocuments, format: ImageFormat): boolean {
  return manifest.descriptor.mediaType === TYPES[format].manifest
}

function layerDescriptor(
  {compression, digest, sizeBytes, annotations}: NamedLayer,
  format: ImageFormat,
): Descriptor {
  const mediaType = TYPES[format].layers[compression]
  return {mediaType, digest, size: sizeBytes, ...(annotations === undefined ? {} : {annotations})}
}

function documentOf(mediaType: string, json: object): {bytes: Buffer; descriptor: Descriptor} {
  const bytes = Buffer.from(JSON.stringify(json))
  return {bytes, descriptor: {mediaType, digest: ociDigestOf(bytes), size: bytes.length}}
}

/** Fields of the image below that are of its own layers, or of the container that it was made in. */
const OF_ITS_LAYERS = new Set([
  'rootfs',
  'history',
  'created',
  'container',
  'container_config',
  'id',
  'parent',
])

function composeConfig({
  base,
  layers,
  history,
  architecture,
  created,
  defaults,
  changes,
}: ImageParts): object {
  const inherited = Object.entries(base?.fields ?? {}).filter(([name]) => !OF_ITS_LAYERS.has(name))
  const {config, ...others} = Object.fromEntries(inherited)
  const fields: RunFields = base === undefined ? defaults : isObject(config) ? config : {}
  return {
    created,
    ...(base === undefined ? platformOf(architecture) : {}),
    ...others,
    config: changes(fields),
    rootfs: {type: 'layers', diff_ids: layers.map(({diffId}) => diffId)},
    history: [...(base === undefined ? [] : historyOf(base)), ...history],
  }
}

/** Returns the history of the image below with an entry for each of its layers: some readers count them. */
function historyOf({fields, layers}: BaseConfig): readonly HistoryField[] {
  const entries = Array.isArray(fields['history']) ? fields['history'].filter(isObject) : []
  const withLayer = entries.filter((entry) => entry['empty_layer'] !== true).length
  return withLayer === layers ? entries : Array.from({length: layers}, () => ({created_by: 'unknown'}))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the documents beside the blobs in a file, by their names: those of an OCI layout and of `docker save`. */
export function composeLayout(
  {config, manifest}: ImageDocuments,
  {
    layers,
    names,
    architecture,
  }: {
    readonly layers: readonly NamedLayer[]
    /** Names with tags: `play:latest`. */
    readonly names: readonly {readonly name: string; readonly whole: string; readonly tag: string}[]
    readonly architecture: DebArchitecture
  },
): ReadonlyMap<string, Buffer> {
  const platform = platformOf(architecture)
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index[0],
    manifests: names.map(({whole, tag}) => ({
      ...manifest.descriptor,
      annotations: {'io.containerd.image.name': whole, 'org.opencontainers.image.ref.name': tag},
      platform,
    })),
  }
  const docker = [
    {
      Config: blobPath(config.descriptor.digest),
      RepoTags: names.map(({name}) => name),
      Layers: layers.map(({digest}) => blobPath(digest)),
    },
  ]
  return new Map([
    [blobPath(config.descriptor.digest), config.bytes],
    [blobPath(manifest.descriptor.digest), manifest.bytes],
    ['oci-layout', jsonOf({imageLayoutVersion: '1.0.0'})],
    ['index.json', jsonOf(index)],
    ['manifest.json', jsonOf(docker)],
  ])
}

export function blobPath(digest: OciDigest): string {
  return `blobs/${digest.replace(':', '/')}`
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
