import type {FileHandle} from 'node:fs/promises'
import {Readable} from 'node:stream'
import * as v from 'valibot'
import {UsageError} from '../../errors.js'
import {openMemory} from '../../host/cache.js'
import {sha256Of} from '../../host/digest.js'
import type {Host} from '../../host/host.js'
import {numberField} from '../../host/records.js'
import {openRegistry, type Repository} from '../../registry/client.js'
import {type Descriptor, digestField, type OciDigest} from '../../registry/descriptor.js'
import {registrySettings} from '../../registry/hosts.js'
import {formatReference, parseRegistryReference, type RegistryReference} from '../../registry/reference.js'
import {holdLayers, withLockedEnvironment} from '../../store/locks.js'
import {findStopped, type LockedEnvironment} from '../export/export.js'
import {isUnavailable, type KeptLayer} from './base.js'
import {sourceDateEpoch} from './defaults.js'
import {openUnnamedFile, type PublishOptions} from './export-image.js'
import type {PlannedLayer} from './plan.js'
import {
  type ImageWish,
  openPublication,
  type Publication,
  type PublishedImage,
  type PublishedLayer,
} from './publication.js'

export type PushRequest = ImageWish & {
  readonly name: string
  /** Name of the image in a registry, as typed. */
  readonly to: string
}

/** A blob of the image: it was in the repository, was taken from another one of the registry, or was sent. */
export type PushedBlob = {
  readonly digest: OciDigest
  readonly sizeBytes: number
  readonly how: 'there' | 'mounted' | 'sent'
}

export type PushResult = PublishedImage & {
  readonly name: string
  readonly reference: string
  readonly blobs: readonly PushedBlob[]
}

/**
 * Writes a stopped environment as an image into a registry: what the registry has is not sent again. The environment is locked
 * while its own layers are packed, and not while they are sent.
 *
 * @throws {UsageError} @throws {@link badReferenceError} @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError}
 * @throws As `openPublication`, and as a {@link Repository}.
 */
export async function pushImage(
  host: Host,
  request: PushRequest,
  options: PublishOptions,
): Promise<PushResult> {
  const reference = parseTarget(request.to)
  sourceDateEpoch(host)
  const connection = {settings: registrySettings(options.settings), host, signal: options.signal}
  const target = openRegistry(reference, {...connection, actions: 'pull,push'})
  // The layer of an image is packed without the lock of the environment, and garbage collection must not remove it.
  const layers = await holdLayers(host.paths)
  const packed: PackedLayers = new Map()
  try {
    const push = {host, target, request, options, connection, packed, blobs: []}
    const find = () => findStopped(host, request.name)
    const publication = await withLockedEnvironment(host.paths, 'exclusive', find, (environment, lock) =>
      packChanging(push, {environment, lock}),
    )
    return await send(push, publication)
  } finally {
    for (const {file} of packed.values()) await file.close()
    layers.release()
    await target.close()
  }
}

const DEFAULT_TAG = 'latest'

/** @throws {UsageError} @throws {@link badReferenceError} */
function parseTarget(text: string): RegistryReference {
  const reference = parseRegistryReference(text.replace(/^docker:\/\//, ''))
  if (reference.digest !== undefined)
    throw new UsageError(`"${text}" has a digest, which the new image has not.`, ['Name it by a tag'])
  return {...reference, tag: reference.tag ?? DEFAULT_TAG}
}

type Push = {
  readonly host: Host
  readonly target: Repository
  readonly request: PushRequest
  readonly options: PublishOptions
  readonly connection: Omit<Parameters<typeof openRegistry>[1], 'actions'>
  readonly packed: PackedLayers
  readonly blobs: PushedBlob[]
}

/** Layers in files without a name; undefined stands for a layer without changes. */
type PackedLayers = Map<PlannedLayer, {readonly file: FileHandle; readonly layer: PublishedLayer | undefined}>

/** Packs the layers that a session may change, so that the environment is locked no longer than that takes. */
async function packChanging(push: Push, locked: LockedEnvironment): Promise<Publication> {
  const publication = await openPublication(push.host, locked, push.request)
  for (const layer of publication.layers) if (layer.id === undefined) await pack(push, publication, layer)
  return publication
}

async function pack(
  {host, options, packed}: Push,
  publication: Publication,
  planned: PlannedLayer,
  held?: readonly number[],
): Promise<{readonly file: FileHandle; readonly layer: PublishedLayer | undefined}> {
  const file = await openUnnamedFile(host)
  try {
    const layer = await publication.pack(planned, {
      ...options,
      ...(held === undefined ? {} : {held}),
      write: async (piece) => void (await file.writeFile(piece)),
    })
    packed.set(planned, {file, layer})
    return {file, layer}
  } catch (error) {
    await file.close()
    throw error
  }
}

async function send(push: Push, publication: Publication): Promise<PushResult> {
  const {target, request, blobs} = push
  const layers = await pushKept(push, publication)
  for (const layer of publication.layers.slice(layers.length === 0 ? 0 : 1)) {
    const pushed = await pushPacked(push, publication, layer)
    if (pushed !== undefined) layers.push(pushed)
  }
  const {documents, image} = publication.compose(layers)
  const {config, manifest} = documents
  const {digest, size: sizeBytes} = config.descriptor
  if (await target.hasBlob(digest)) blobs.push({digest, sizeBytes, how: 'there'})
  else {
    await target.pushBlob(config.descriptor, () => Readable.from([config.bytes]))
    blobs.push({digest, sizeBytes, how: 'sent'})
  }
  // Last, because the registry refuses a manifest that names what it has not.
  const {tag = DEFAULT_TAG} = target.reference
  await target.pushManifest(manifest.bytes, manifest.descriptor.mediaType, tag)
  return {name: request.name, reference: formatReference(target.reference), ...image, blobs}
}

/** Names the layers of the image below as they were published; none if they can't be had any more. */
async function pushKept(push: Push, {base}: Publication): Promise<PublishedLayer[]> {
  if (base === undefined) return []
  const {connection, options, blobs} = push
  const source = openRegistry(base.reference, {...connection, actions: 'pull'})
  const done: PushedBlob[] = []
  try {
    for (const [index, layer] of base.layers.entries()) {
      const place = {layer: index + 1, layers: base.layers.length}
      done.push(await pushKeptLayer(push, layer, {base: base.reference, source, place}))
    }
  } catch (error) {
    if (!(error instanceof SourceUnavailable)) throw error
    options.onProgress({stage: 'repack', image: formatReference(base.reference), reason: error.message})
    return []
  } finally {
    await source.close()
  }
  blobs.push(...done)
  return base.layers.map(({named}) => ({...named, entries: undefined, history: undefined}))
}

/** Not an error for the user: the layer is packed again. */
class SourceUnavailable extends Error {}

type KeptSource = {
  readonly base: RegistryReference
  readonly source: Repository
  readonly place: {readonly layer: number; readonly layers: number}
}

async function pushKeptLayer(
  {target, options}: Push,
  {blob}: KeptLayer,
  {base, source, place}: KeptSource,
): Promise<PushedBlob> {
  const {digest, size: sizeBytes} = blob
  if (await target.hasBlob(digest)) return {digest, sizeBytes, how: 'there'}
  const isBeside = base.host === target.reference.host && base.repository !== target.reference.repository
  if (isBeside && (await target.mountBlob(digest, base.repository)))
    return {digest, sizeBytes, how: 'mounted'}
  const {signal, onProgress} = options
  const open = () => source.blob(blob, {signal})
  const opened = await open().catch((error: unknown) => {
    throw isUnavailable(error) ? new SourceUnavailable(error.message) : error
  })
  let first: Readable | undefined = opened
  async function* bytes(): AsyncGenerator<Buffer> {
    const stream = first ?? (await open())
    first = undefined
    yield* counted(stream, (sent) =>
      onProgress({stage: 'push', ...place, bytes: sent, totalBytes: sizeBytes}),
    )
  }
  try {
    await target.pushBlob(blob, () => Readable.from(bytes(), {objectMode: false}))
  } finally {
    opened.destroy()
  }
  return {digest, sizeBytes, how: 'sent'}
}

async function* counted(
  stream: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const piece of stream) {
    bytes += piece.length
    onBytes(bytes)
    yield piece
  }
}

const rememberedSchema = v.object({
  digest: digestField,
  diffId: digestField,
  sizeBytes: numberField,
  entries: numberField,
})
const MOST_REMEMBERED = 100
/** Part of the keys: a version that packs differently does not use the digests of another one. */
const PACKING = 1

/**
 * Packs a layer, and sends it unless the registry has it. The layer of an image is not even packed when the registry has it: its
 * digest is remembered.
 */
async function pushPacked(
  push: Push,
  publication: Publication,
  layer: PlannedLayer,
): Promise<PublishedLayer | undefined> {
  const {host, target, request, options, blobs} = push
  const memory = openMemory(`${host.paths.cache}/layer-digests.json`, {
    schema: rememberedSchema,
    most: MOST_REMEMBERED,
  })
  const {compression} = request
  const key =
    layer.id &&
    sha256Of(JSON.stringify([PACKING, layer.id, compression, layer.request.latest, process.versions['zlib']]))
  const known = key === undefined ? undefined : memory.recall(key)
  if (known !== undefined && (await target.hasBlob(known.digest))) {
    blobs.push({digest: known.digest, sizeBytes: known.sizeBytes, how: 'there'})
    return {...known, compression, history: publication.historyOf(layer)}
  }
  // Nobody changes the layer of an image: without a lock of the environment, which is released.
  const {file, layer: packed} = push.packed.get(layer) ?? (await pack(push, publication, layer, []))
  if (packed === undefined) return undefined
  const {digest, diffId, sizeBytes, entries = 0} = packed
  if (key !== undefined) await memory.remember(key, {digest, diffId, sizeBytes, entries})
  if (await target.hasBlob(digest)) {
    blobs.push({digest, sizeBytes, how: 'there'})
    return packed
  }
  const place = {layer: publication.layers.indexOf(layer) + 1, layers: publication.layers.length}
  const onBytes = (bytes: number) =>
    options.onProgress({stage: 'push', ...place, bytes, totalBytes: sizeBytes})
  const read = () => counted(file.createReadStream({start: 0, autoClose: false}), onBytes)
  const descriptor: Pick<Descriptor, 'digest' | 'size'> = {digest, size: sizeBytes}
  await target.pushBlob(descriptor, () => Readable.from(read(), {objectMode: false}))
  blobs.push({digest, sizeBytes, how: 'sent'})
  return packed
}
