import type {Descriptor, OciDigest} from '../../src/registry/descriptor.js'
import {ociDigestOf} from '../../src/registry/descriptor.js'
import {MEDIA_TYPES} from '../../src/registry/manifest.js'

/** An image in memory: its manifest, and all blobs by digest. */
export type SampleImage = {
  readonly manifest: Buffer
  readonly mediaType: string
  readonly digest: OciDigest
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly blobs: ReadonlyMap<OciDigest, Buffer>
}

type SampleOptions = {
  /** Bytes of the layers, as they are stored; uncompressed unless `diffIds` says otherwise. */
  readonly layers?: readonly Buffer[]
  readonly architecture?: string
  /** Fields of the manifest, in place of the usual. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** An image whose layers are the given bytes. */
export function sampleImage({
  layers: contents = [Buffer.from('a layer')],
  architecture = 'amd64',
  fields = {},
}: SampleOptions = {}): SampleImage {
  const config = jsonBytes({
    architecture,
    os: 'linux',
    config: {Env: ['PATH=/usr/bin:/bin'], Cmd: ['/bin/sh']},
    rootfs: {type: 'layers', diff_ids: contents.map(ociDigestOf)},
    history: contents.map(() => ({created_by: 'a test'})),
  })
  const configDescriptor = descriptorOf(config, 'application/vnd.oci.image.config.v1+json')
  const layers = contents.map((bytes) => descriptorOf(bytes, 'application/vnd.oci.image.layer.v1.tar'))
  const [mediaType] = MEDIA_TYPES.image
  const manifest = jsonBytes({schemaVersion: 2, mediaType, config: configDescriptor, layers, ...fields})
  return {
    manifest,
    mediaType,
    digest: ociDigestOf(manifest),
    config: configDescriptor,
    layers,
    blobs: new Map([config, ...contents].map((bytes) => [ociDigestOf(bytes), bytes])),
  }
}

export function descriptorOf(bytes: Buffer, mediaType: string): Descriptor {
  return {mediaType, digest: ociDigestOf(bytes), size: bytes.length}
}

export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
