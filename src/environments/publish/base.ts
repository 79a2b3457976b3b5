import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Readable} from 'node:stream'
import {EnvsError, ExitCode, UsageError} from '../../errors.js'
import {finishSha256, type Sha256} from '../../host/digest.js'
import {unlessErrno} from '../../host/errno.js'
import {digestMismatchError} from '../../host/errors.js'
import type {Paths} from '../../host/paths.js'
import {EVIDENCE, readContainer} from '../../images/oci/kept.js'
import type {Repository} from '../../registry/client.js'
import {type Descriptor, ociDigestOf} from '../../registry/descriptor.js'
import {parseManifest} from '../../registry/manifest.js'
import {parseRegistryReference, type RegistryReference} from '../../registry/reference.js'
import type {LayerCompression} from '../../rootfs/layer/compress.js'
import type {EnvironmentRecord} from '../../store/record.js'
import type {WriteBlob} from './archive-file.js'
import type {ImageDocuments, NamedLayer} from './documents.js'

/** A layer of the image below as it was published. */
export type KeptLayer = {readonly named: NamedLayer; readonly blob: Descriptor}

/** The image of containers that an environment was made from. */
export type PublishedBase = {
  /** Its configuration, as it was published. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Its layers in a registry; undefined for an image from a file. */
  readonly source: {readonly reference: RegistryReference; readonly layers: readonly KeptLayer[]} | undefined
  /** As they were published. */
  readonly documents: ImageDocuments
}

/**
 * Reads what was kept of the image below.
 *
 * @returns undefined for an image that is not of containers, and if its record was removed.
 * @throws {ImageRecordUnreadableError} @throws {@link badManifestError}
 */
export function readPublishedBase(
  {images}: Pick<Paths, 'images'>,
  {image: {container}}: Pick<EnvironmentRecord, 'image'>,
): PublishedBase | undefined {
  if (container === undefined) return undefined
  const kept = readContainer(images, container.manifest.slice('sha256:'.length) as Sha256)
  if (kept === undefined) return undefined
  const read = (name: string) => unlessErrno(() => readFileSync(join(kept.evidence, name)), 'ENOENT')
  const [configuration, manifest] = [read(EVIDENCE.configuration), read(EVIDENCE.manifest)]
  if (configuration === undefined || manifest === undefined) return undefined
  const source = container.reference
  // Checked when it was fetched.
  const fields: PublishedBase['fields'] = JSON.parse(configuration.toString('utf8'))
  const parsed = parseManifest(manifest, undefined, source)
  if (parsed.kind === 'index') return undefined
  const {digest, size} = {digest: ociDigestOf(manifest), size: manifest.length}
  const documents = {
    config: {bytes: configuration, descriptor: parsed.config},
    manifest: {bytes: manifest, descriptor: {mediaType: parsed.mediaType, digest, size}},
  }
  if (container.registry === null) return {fields, documents, source: undefined}
  const blobs = parsed.layers
  const layers = blobs.flatMap((blob, index): KeptLayer[] => {
    const diffId = kept.layers[index]?.diffId
    if (diffId === undefined) return []
    const {digest, size: sizeBytes, annotations} = blob
    return [
      {
        blob,
        named: {
          ...{digest, sizeBytes, compression: compressionOf(blob), diffId: `sha256:${diffId}`},
          ...(annotations === undefined ? {} : {annotations}),
        },
      },
    ]
  })
  return {fields, documents, source: {reference: parseRegistryReference(source), layers}}
}

function compressionOf({mediaType}: Descriptor): LayerCompression {
  if (/[.+]gzip$/.test(mediaType)) return 'gzip'
  return /[.+]zstd(?::\w+)?$/.test(mediaType) ? 'zstd' : 'none'
}

/** Refuses a base that the format has no media type for. @throws {UsageError} */
export function refuseZstd(layers: readonly KeptLayer[], image: string): void {
  if (layers.every(({named}) => named.compression !== 'zstd')) return
  throw new UsageError(`The layers of ${image} have zstd, which the format docker has not.`, [
    'Write the format oci, or pack all files again with --squash',
  ])
}

/** Whether an image's layers can't be had where they came from; wrong bytes are no such failure. */
export function isUnavailable(error: unknown): error is EnvsError {
  return (
    error instanceof EnvsError &&
    (error.exitCode === ExitCode.notFound || error.exitCode === ExitCode.network)
  )
}

/** Copies a blob, and checks that it has the digest of its descriptor. @throws {DigestMismatchError} */
export async function copyBlob(
  source: Repository,
  blob: Descriptor,
  {write, signal, onBytes}: {write: WriteBlob; signal: AbortSignal; onBytes: (bytes: number) => void},
): Promise<void> {
  const hash = createHash('sha256')
  let bytes = 0
  const stream: Readable = await source.blob(blob, {signal})
  for await (const piece of stream) {
    hash.update(piece)
    await write(piece)
    bytes += piece.length
    onBytes(bytes)
  }
  const actual = finishSha256(hash)
  const expected = blob.digest.slice('sha256:'.length)
  if (actual !== expected) throw digestMismatchError({source: blob.digest, expected, actual})
}
