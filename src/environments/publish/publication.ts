import type {Host} from '../../host/host.js'
import {type DebArchitecture, namedArchitecture} from '../../host/machine/arch.js'
import type {OciDigest} from '../../registry/descriptor.js'
import type {LayerCompression} from '../../rootfs/layer/compress.js'
import type {Environment} from '../../store/environments.js'
import type {LockedEnvironment} from '../export/export.js'
import type {WriteBlob} from './archive-file.js'
import type {ConfigChanges} from './config-changes.js'
import {defaultConfig, sourceDateEpoch, stepTime} from './defaults.js'
import {composeImage, type HistoryField, type ImageDocuments, type ImageFormat} from './documents.js'
import {packPlanned} from './packing.js'
import {type PlannedLayer, planLayers} from './plan.js'

/** Progress of a layer, counted from 1. */
export type PublishProgress = {
  readonly stage: 'pack'
  readonly layer: number
  readonly layers: number
  readonly entries: number
  readonly bytes: number
}

/** A layer that was packed, for its place in the image. */
export type PublishedLayer = {
  readonly digest: OciDigest
  readonly diffId: OciDigest
  readonly sizeBytes: number
  readonly compression: LayerCompression
  /** Members of the layer. */
  readonly entries: number
  readonly history: HistoryField
}

export type PublishedImage = {
  /** Of the manifest. */
  readonly digest: OciDigest
  readonly configDigest: OciDigest
  readonly layers: readonly Pick<PublishedLayer, 'digest' | 'diffId' | 'sizeBytes' | 'entries'>[]
}

/** An environment that becomes an image. */
export type Publication = {
  readonly architecture: DebArchitecture
  /** From the bottom upwards. */
  readonly layers: readonly PlannedLayer[]
  /** Packs a layer. @returns undefined for a layer without changes, which the image does not need. */
  pack(
    layer: PlannedLayer,
    options: {
      readonly signal: AbortSignal
      readonly onProgress: (progress: PublishProgress) => void
      readonly write: WriteBlob
    },
  ): Promise<PublishedLayer | undefined>
  compose(layers: readonly PublishedLayer[]): {
    readonly documents: ImageDocuments
    readonly image: PublishedImage
  }
}

type PublicationWish = {
  readonly format: ImageFormat
  readonly compression: LayerCompression
  readonly isSquashed: boolean
  readonly changes: ConfigChanges
}

/** Prepares an environment that the caller has locked. @throws As `planLayers`. */
export async function openPublication(
  host: Host,
  locked: LockedEnvironment,
  {format, compression, isSquashed, changes}: PublicationWish,
): Promise<Publication> {
  const {environment} = locked
  const latest = sourceDateEpoch(host)
  const created = stepTime(host.now(), latest)
  const plan = await planLayers(host, locked, {isSquashed, latest})
  const defaults = await defaultConfig(host, environment)
  const architecture = namedArchitecture(environment.record.architecture) ?? host.architecture
  return {
    architecture,
    layers: plan.layers,
    async pack(layer, {signal, onProgress, write}) {
      const place = {layer: plan.layers.indexOf(layer) + 1, layers: plan.layers.length}
      const packed = await packPlanned(host, layer, {
        ...{process: plan.process, compression, signal, write},
        onProgress: (progress) => onProgress({stage: 'pack', ...place, ...progress}),
      })
      // An image without a layer can be no tree.
      if (packed.entries === 0 && place.layer > 1) return undefined
      return {...packed, history: historyOf(layer, {environment, created, latest})}
    },
    compose(layers) {
      const documents = composeImage({
        ...{format, layers, architecture, created, defaults, changes},
        history: layers.map(({history}) => history),
        base: undefined,
      })
      return {documents, image: describeImage(documents, layers)}
    },
  }
}

function describeImage(
  {manifest, config}: ImageDocuments,
  layers: readonly PublishedLayer[],
): PublishedImage {
  return {
    digest: manifest.descriptor.digest,
    configDigest: config.descriptor.digest,
    layers: layers.map(({digest, diffId, sizeBytes, entries}) => ({digest, diffId, sizeBytes, entries})),
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

/** A path or a URL of the user is not for others. */
function describeImageOf({record: {image}}: Environment): string {
  const name = [image.name, image.version].filter((part) => part !== null).join(' ')
  return name === '' ? `an image with the digest ${image.sha256}` : name
}
