import type {Host} from '../../host/host.js'
import {type DebArchitecture, namedArchitecture} from '../../host/machine/arch.js'
import type {OciDigest} from '../../registry/descriptor.js'
import type {LayerCompression} from '../../rootfs/layer/compress.js'
import type {Environment} from '../../store/environments.js'
import type {LockedEnvironment} from '../export/export.js'
import type {WriteBlob} from './archive-file.js'
import {type PublishedBase, readPublishedBase, refuseZstd} from './base.js'
import type {ConfigChanges} from './config-changes.js'
import {defaultConfig, sourceDateEpoch, stepTime} from './defaults.js'
import {
  composeImage,
  type HistoryField,
  type ImageDocuments,
  type ImageFormat,
  isOfFormat,
  type NamedLayer,
} from './documents.js'
import {packPlanned} from './packing.js'
import {type PlannedLayer, planLayers} from './plan.js'

/** Progress of a layer, counted from 1; or the reason why an image's own layers are packed again. */
export type PublishProgress =
  | {
      readonly stage: 'pack'
      readonly layer: number
      readonly layers: number
      readonly entries: number
      readonly bytes: number
    }
  | {
      readonly stage: 'copy' | 'push'
      readonly layer: number
      readonly layers: number
      readonly bytes: number
      readonly totalBytes: number
    }
  | {readonly stage: 'repack'; readonly image: string; readonly reason: string}

/** How an environment becomes an image. */
export type ImageWish = {
  readonly format: ImageFormat
  readonly compression: LayerCompression
  readonly isSquashed: boolean
  readonly changes: ConfigChanges
}

/** A layer of the new image. */
export type PublishedLayer = NamedLayer & {
  /** Members of the layer; unknown for a layer that was not packed. */
  readonly entries: number | undefined
  /** Of a layer that was packed. */
  readonly history: HistoryField | undefined
}

export type PublishedImage = {
  /** Of the manifest. */
  readonly digest: OciDigest
  readonly configDigest: OciDigest
  readonly layers: readonly {
    readonly digest: OciDigest
    readonly diffId: OciDigest
    readonly sizeBytes: number
    /** Null for a layer that has the bytes of the image that the environment was made from. */
    readonly entries: number | null
  }[]
}

/** An environment that becomes an image. */
export type Publication = {
  readonly architecture: DebArchitecture
  /** From the bottom upwards. */
  readonly layers: readonly [PlannedLayer, ...PlannedLayer[]]
  /** The layers in a registry that stand for the lowest one. */
  readonly base: PublishedBase['source']
  /** Packs a layer. @returns undefined for one without changes, which the image does not need. */
  pack(layer: PlannedLayer, options: PackOptions): Promise<PublishedLayer | undefined>
  historyOf(layer: PlannedLayer): HistoryField
  compose(layers: readonly PublishedLayer[]): {
    readonly documents: ImageDocuments
    readonly image: PublishedImage
  }
}

type PackOptions = {
  readonly signal: AbortSignal
  readonly onProgress: (progress: PublishProgress) => void
  readonly write: WriteBlob
  /** Descriptors of locks that the worker inherits; those of the environment by default. */
  readonly held?: readonly number[]
}

/**
 * Prepares an environment that the caller has locked.
 *
 * @throws {UsageError} @throws As `planLayers` and `readPublishedBase`.
 */
export async function openPublication(
  host: Host,
  locked: LockedEnvironment,
  {format, compression, isSquashed, changes}: ImageWish,
): Promise<Publication> {
  const {environment} = locked
  const latest = sourceDateEpoch(host)
  const created = stepTime(host.now(), latest)
  const plan = await planLayers(host, locked, {isSquashed, latest})
  const below = readPublishedBase(host.paths, environment.record)
  const base = plan.layers[0].request.kind === 'image' ? below?.source : undefined
  if (format === 'docker') refuseZstd(base?.layers ?? [], describeImageOf(environment))
  const defaults = await defaultConfig(host, environment)
  const architecture = namedArchitecture(environment.record.architecture) ?? host.architecture
  return {
    architecture,
    layers: plan.layers,
    base,
    async pack(layer, {signal, onProgress, write, held}) {
      const place = {layer: plan.layers.indexOf(layer) + 1, layers: plan.layers.length}
      const packed = await packPlanned(host, layer, {
        ...{compression, signal, write},
        process: held === undefined ? plan.process : {...plan.process, held},
        onProgress: (progress) => onProgress({stage: 'pack', ...place, ...progress}),
      })
      // An image has a layer at least.
      if (packed.entries === 0 && place.layer > 1) return undefined
      return {...packed, history: historyOf(layer, {environment, created, latest})}
    },
    historyOf: (layer) => historyOf(layer, {environment, created, latest}),
    compose(layers) {
      const own = layers.flatMap(({history}) => (history === undefined ? [] : [history]))
      const isSame = own.length === 0 && below !== undefined && isUnchanged(below, {format, changes})
      const documents = isSame
        ? below.documents
        : composeImage({
            ...{format, layers, architecture, created, defaults, changes, history: own},
            base: below && {fields: below.fields, layers: layers.length - own.length},
          })
      return {documents, image: describeImage(documents, layers)}
    },
  }
}

/** Whether an image with the layers of the one below is that image, down to its digest. */
function isUnchanged(
  {fields, documents}: PublishedBase,
  {format, changes}: Pick<ImageWish, 'format' | 'changes'>,
): boolean {
  const config = fields['config'] ?? {}
  return isOfFormat(documents, format) && JSON.stringify(changes(config)) === JSON.stringify(config)
}

function describeImage(
  {manifest, config}: ImageDocuments,
  layers: readonly PublishedLayer[],
): PublishedImage {
  return {
    digest: manifest.descriptor.digest,
    configDigest: config.descriptor.digest,
    layers: layers.map(({digest, diffId, sizeBytes, entries}) => ({
      ...{digest, diffId, sizeBytes},
      entries: entries ?? null,
    })),
  }
}

function historyOf(
  {request, finishedAt, label}: PlannedLayer,
  {environment, created, latest}: {environment: Environment; created: string; latest: number | undefined},
): HistoryField {
  const time = finishedAt === undefined ? created : stepTime(finishedAt, latest)
  const step = label === undefined ? 'changes' : `snapshot ${label}`
  const what = request.kind === 'changes' ? step : describeImageOf(environment)
  return {created: time, created_by: `envs: ${what}`}
}

/** Returns the name of the image; a path or a URL of the user is not for others. */
function describeImageOf({record: {image}}: Pick<Environment, 'record'>): string {
  const published = image.container?.registry === null ? undefined : image.container?.reference
  const name = published ?? [image.name, image.version].filter((part) => part !== null).join(' ')
  return name === '' ? `an image with the digest ${image.sha256}` : name
}
