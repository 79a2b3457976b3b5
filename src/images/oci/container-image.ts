import {type Sha256, sha256Of} from '../../host/digest.js'
import {digestMismatchError} from '../../host/errors.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import type {BlobSource, FetchedManifest} from '../../registry/blob-source.js'
import {type Descriptor, type OciDigest, type OciPlatform, ociDigestOf} from '../../registry/descriptor.js'
import {badManifestError, noPlatformError} from '../../registry/errors.js'
import {
  type ImageConfig,
  type ImageManifest,
  MOST_MANIFEST_BYTES,
  parseImageConfig,
  parseManifest,
} from '../../registry/manifest.js'
import {architectureOf, choosePlatform, formatPlatform, platformOf} from '../../registry/platform.js'
import {type ContainerLocation, formatLocation} from './location.js'
import type {ContainerOrigin} from './origin.js'

/** An image of containers whose manifest and configuration are here; its layers may not be. */
export type ContainerImage = {
  readonly location: ContainerLocation
  /** As `envs create` accepts it. */
  readonly name: string
  /** Digest of the manifest, which stands for the image. */
  readonly digest: Sha256
  readonly manifest: ImageDocument
  /** The list of platforms that led to the manifest; undefined if there was none. */
  readonly index: ImageDocument | undefined
  readonly configuration: ImageDocument
  readonly config: ImageConfig
  readonly platform: OciPlatform
  /** The lowest first. */
  readonly layers: readonly [ContainerLayer, ...ContainerLayer[]]
  /** The registry that answered, or its mirror; null for a folder or an archive. */
  readonly registry: string | null
  /** `registry`: TLS or the host of the reference; `digest`: the user named it; `unverified`: files that the user gave. */
  readonly trust: 'registry' | 'digest' | 'unverified'
}

/** Bytes with their digest, to be kept as evidence. */
export type ImageDocument = {readonly digest: OciDigest; readonly bytes: Buffer}

export type ContainerLayer = {
  /** Of the bytes as they are stored. */
  readonly blob: Descriptor
  /** Digest of the layer without its compression. */
  readonly diffId: Sha256
}

type ResolveContainerOptions = {
  readonly architecture: DebArchitecture
  readonly signal: AbortSignal
}

/** Indices within indices: an index may name one for each variant. */
const MOST_INDICES = 3

/**
 * Reads the manifest and the configuration of an image, and chooses its platform. Each is compared with the digest that named it.
 *
 * @throws {DigestMismatchError} @throws {@link badManifestError} @throws {NoPlatformError}
 */
export async function resolveContainer(
  location: ContainerLocation,
  source: BlobSource & {readonly answeredBy?: string},
  options: ResolveContainerOptions,
): Promise<ContainerImage> {
  const name = formatLocation(location)
  const top = await source.manifest(wantedOf(location))
  const {manifest, document} = await descend(source, top, {name, wanted: platformOf(options.architecture)})
  const configuration = await readConfiguration(source, manifest.config, {name, signal: options.signal})
  const config = parseImageConfig(configuration.bytes, name)
  const platform = platformFor(config, {name, architecture: options.architecture})
  return {
    location,
    name,
    digest: hexOf(document.digest),
    manifest: document,
    index: document.digest === top.digest ? undefined : {digest: top.digest, bytes: top.bytes},
    configuration,
    config,
    platform,
    layers: layersOf(manifest, config, name),
    registry: source.answeredBy ?? null,
    trust: trustOf(location),
  }
}

function wantedOf(location: ContainerLocation): string | undefined {
  if (location.kind !== 'registry') return location.tag
  return location.reference.digest ?? location.reference.tag
}

function trustOf(location: ContainerLocation): ContainerImage['trust'] {
  if (location.kind !== 'registry') return 'unverified'
  return location.reference.digest === undefined ? 'registry' : 'digest'
}

async function descend(
  source: BlobSource,
  top: FetchedManifest,
  {name, wanted}: {readonly name: string; readonly wanted: OciPlatform},
): Promise<{manifest: ImageManifest; document: ImageDocument}> {
  let current = top
  for (let depth = 0; depth < MOST_INDICES; depth++) {
    checkDigest(current.bytes, {digest: current.digest, name})
    const parsed = parseManifest(current.bytes, current.mediaType, name)
    if (parsed.kind === 'image')
      return {manifest: parsed, document: {digest: current.digest, bytes: current.bytes}}
    const {digest} = choosePlatform(parsed, wanted, name)
    current = {...(await source.manifest(digest)), digest}
  }
  throw badManifestError({
    source: name,
    reason: `it has over ${MOST_INDICES} lists of platforms within each other`,
  })
}

async function readConfiguration(
  source: BlobSource,
  descriptor: Descriptor,
  {name, signal}: {readonly name: string; readonly signal: AbortSignal},
): Promise<ImageDocument> {
  if (descriptor.size > MOST_MANIFEST_BYTES)
    throw badManifestError({source: name, reason: `its configuration is over ${MOST_MANIFEST_BYTES} bytes`})
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of await source.blob(descriptor, {signal})) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > descriptor.size) break
  }
  const whole = Buffer.concat(chunks)
  checkDigest(whole, {digest: descriptor.digest, name})
  return {digest: descriptor.digest, bytes: whole}
}

/** @throws {DigestMismatchError} */
function checkDigest(
  bytes: Buffer,
  {digest, name}: {readonly digest: OciDigest; readonly name: string},
): void {
  if (ociDigestOf(bytes) !== digest)
    throw digestMismatchError({source: name, expected: hexOf(digest), actual: sha256Of(bytes)})
}

/** @throws {NoPlatformError} When the programs of the image are for another processor, or for no Linux. */
function platformFor(
  {os, architecture, variant}: ImageConfig,
  wanted: {readonly name: string; readonly architecture: DebArchitecture},
): OciPlatform {
  const platform = {os, architecture, variant}
  if (architectureOf(platform) === wanted.architecture) return platform
  throw noPlatformError({
    source: wanted.name,
    wanted: formatPlatform(platformOf(wanted.architecture)),
    platforms: formatPlatform(platform),
  })
}

/** Layers of OCI and Docker, also those that a registry would not distribute. The bytes decide about the compression. */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+\w+)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.\w+)?)$/
const ENCRYPTED = /\+encrypted$/

/** @throws {@link badManifestError} */
function layersOf({layers}: ImageManifest, {diffIds}: ImageConfig, name: string): ContainerImage['layers'] {
  const refuse = (reason: string) => badManifestError({source: name, reason})
  const odd = layers.find(({mediaType}) => !LAYER_TYPE.test(mediaType) || ENCRYPTED.test(mediaType))
  if (odd !== undefined) throw refuse(`"${odd.mediaType}" is not the type of a layer of files`)
  if (layers.length !== diffIds.length)
    throw refuse(`its manifest has ${layers.length} layers, and its configuration has ${diffIds.length}`)
  const [first, ...others] = layers.flatMap((blob, index) => {
    const diffId = diffIds[index]
    return diffId === undefined ? [] : [{blob, diffId: hexOf(diffId)}]
  })
  if (first === undefined) throw refuse('it has no layers')
  return [first, ...others]
}

export function hexOf(digest: OciDigest): Sha256 {
  return digest.slice('sha256:'.length) as Sha256
}

/** Returns the origin of an image for its records. */
export function originOf(image: ContainerImage): ContainerOrigin {
  const {name, index, manifest, configuration, platform, registry, config} = image
  const run = config.config
  return {
    reference: name,
    index: index?.digest ?? null,
    manifest: manifest.digest,
    configuration: configuration.digest,
    platform: formatPlatform(platform),
    registry,
    config: {
      env: run.Env,
      workingFolder: run.WorkingDir ?? null,
      user: run.User ?? null,
      entrypoint: run.Entrypoint,
      command: run.Cmd,
      labels: run.Labels,
      ports: run.ExposedPorts,
      volumes: run.Volumes,
      stopSignal: run.StopSignal ?? null,
    },
  }
}
