import {EnvsError, ExitCode} from '../../errors.js'
import type {BlobSource} from '../blob-source.js'
import {type Descriptor, type OciDigest, ociDigestOf} from '../descriptor.js'
import {type ImageManifest, parseManifest} from '../manifest.js'

/** A signature as a source has it; nothing of it is verified but the digests of its bytes. */
export type Candidate =
  | AttachedSignature
  /** @see https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md */
  | {readonly kind: 'bundle'; readonly text: string}
  /** `reason` is a clause: `one is damaged`. */
  | {readonly kind: 'unreadable'; readonly reason: string}

/** A signature of cosign 2 or podman. @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
export type AttachedSignature = {
  readonly kind: 'attached'
  readonly payload: Buffer
  readonly signature: Buffer
  /** PEM, of a keyless signature; from the registry, as all of this is. */
  readonly certificate: string | undefined
  /** PEM, the certificates between that one and a root. */
  readonly chain: string | undefined
  /** JSON of its entry in a transparency log. */
  readonly logEntry: string | undefined
}

/** Each costs requests and computations; an image that is signed at every build has some dozens. */
const MOST_SIGNATURES = 100

/** A payload is 300 bytes. */
const MOST_PAYLOAD_BYTES = 64 * 1024

/** A bundle has a certificate and proofs of logs: 10 kB. */
const MOST_BUNDLE_BYTES = 1024 * 1024

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:[.+;]|$)/

const SIGNATURE = 'dev.cosignproject.cosign/signature'
const CERTIFICATE = 'dev.sigstore.cosign/certificate'
const CHAIN = 'dev.sigstore.cosign/chain'
const LOG_ENTRY = 'dev.sigstore.cosign/bundle'

/**
 * Yields the signatures of an image, one after the other, so that none is fetched after a good one: those of cosign 2 and
 * podman first, then bundles of cosign 3.
 *
 * @param digest - Of the manifest or the index that is signed.
 * @throws {EnvsError} If the source fails: a registry that does not answer is not one without signatures.
 */
export async function* readCandidates(
  source: BlobSource,
  digest: OciDigest,
  {signal}: {readonly signal: AbortSignal},
): AsyncGenerator<Candidate> {
  yield* attachedSignatures(source, digest, signal)
  yield* bundles(source, digest, signal)
}

async function* attachedSignatures(
  source: BlobSource,
  digest: OciDigest,
  signal: AbortSignal,
): AsyncGenerator<Candidate> {
  const manifest = await signatureManifest(source, `${digest.replace(':', '-')}.sig`)
  if (manifest === undefined) return
  if (typeof manifest === 'string') {
    yield unreadable(manifest)
    return
  }
  for (const layer of manifest.layers.slice(0, MOST_SIGNATURES)) {
    const signature = decodeBase64(layer.annotations?.[SIGNATURE])
    if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined) {
      yield unreadable('one is damaged')
      continue
    }
    const payload = await blobBytes(source, layer, {mostBytes: MOST_PAYLOAD_BYTES, signal})
    yield payload === undefined
      ? unreadable('one is damaged')
      : {
          kind: 'attached',
          payload,
          signature,
          certificate: layer.annotations?.[CERTIFICATE],
          chain: layer.annotations?.[CHAIN],
          logEntry: layer.annotations?.[LOG_ENTRY],
        }
  }
}

async function* bundles(
  source: BlobSource,
  digest: OciDigest,
  signal: AbortSignal,
): AsyncGenerator<Candidate> {
  // Not asked for by type: where a registry has no list of referrers, cosign 2.5 writes one that calls each of them
  // application/vnd.oci.empty.v1+json.
  const referrers = await source.referrers(digest)
  for (const referrer of referrers.filter(maybeBundle).slice(0, MOST_SIGNATURES)) {
    const manifest = await signatureManifest(source, referrer.digest)
    if (manifest === undefined || typeof manifest === 'string') {
      yield unreadable('one is damaged')
      continue
    }
    const layer = manifest.layers.find(({mediaType}) => BUNDLE_TYPE.test(mediaType))
    // Other files refer to an image too, such as a list of its packages.
    if (layer === undefined) continue
    const bytes = await blobBytes(source, layer, {mostBytes: MOST_BUNDLE_BYTES, signal})
    yield bytes === undefined ? unreadable('one is damaged') : {kind: 'bundle', text: bytes.toString('utf8')}
  }
}

function maybeBundle({artifactType}: Descriptor): boolean {
  return (
    artifactType === undefined ||
    artifactType === 'application/vnd.oci.empty.v1+json' ||
    BUNDLE_TYPE.test(artifactType)
  )
}

function unreadable(reason: string): Candidate {
  return {kind: 'unreadable', reason}
}

/** Returns a manifest of signatures; undefined without one, and a clause if it is unusable. */
async function signatureManifest(
  source: BlobSource,
  which: string,
): Promise<ImageManifest | string | undefined> {
  try {
    const {bytes, mediaType} = await source.manifest(which)
    const manifest = parseManifest(bytes, mediaType, 'the signature')
    return manifest.kind === 'image' ? manifest : 'one is damaged'
  } catch (error) {
    if (isMissing(error)) return undefined
    if (isDamaged(error)) return 'one is damaged'
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof EnvsError && error.exitCode === ExitCode.notFound
}

function isDamaged(error: unknown): boolean {
  return error instanceof EnvsError && error.exitCode === ExitCode.integrity
}

/** Returns the bytes of a small blob; undefined if it is too large, or not what its descriptor says. */
async function blobBytes(
  source: BlobSource,
  descriptor: Descriptor,
  {mostBytes, signal}: {readonly mostBytes: number; readonly signal: AbortSignal},
): Promise<Buffer | undefined> {
  if (descriptor.size > mostBytes) return undefined
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of await source.blob(descriptor, {signal})) {
      const bytes = Buffer.from(chunk as Uint8Array)
      length += bytes.length
      // Leaving the loop ends the download.
      if (length > descriptor.size) return undefined
      chunks.push(bytes)
    }
  } catch (error) {
    if (isMissing(error) || isDamaged(error)) return undefined
    throw error
  }
  const content = Buffer.concat(chunks)
  return ociDigestOf(content) === descriptor.digest ? content : undefined
}

/** Node's decoder skips what is not base64. */
function decodeBase64(text: string | undefined): Buffer | undefined {
  if (text === undefined || text === '' || text.length > MOST_PAYLOAD_BYTES) return undefined
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
