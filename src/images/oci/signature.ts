import {UsageError} from '../../errors.js'
import type {BlobSource} from '../../registry/blob-source.js'
import {ociDigestOf} from '../../registry/descriptor.js'
import type {ImageReference} from '../name.js'
import type {ImageContext} from '../sources/source.js'
import type {ContainerImage, UnverifiedImage} from './container-image.js'

/** An image, and the signatures that were demanded and found. */
type VerifiedImage = Pick<ContainerImage, 'trust' | 'signature'>

/**
 * Verifies the signatures of an image of a registry, before any layer is fetched.
 *
 * @throws As `planTrust` and `verifyImage`.
 */
export async function verifyContainer(
  {location, manifest, index, trust}: UnverifiedImage,
  source: BlobSource,
  {context, signal}: {readonly context: Pick<ImageContext, 'trust'>; readonly signal: AbortSignal},
): Promise<VerifiedImage> {
  if (location.kind !== 'registry') return {trust, signature: null}
  const {planTrust} = await import('../../registry/trust/plan.js')
  const {verifyImage} = await import('../../registry/trust/verify.js')
  const {reference} = location
  const {kind, digest, signers, policy} = await verifyImage({
    source,
    reference,
    indexDigest: index === undefined ? undefined : ociDigestOf(index.bytes),
    manifestDigest: ociDigestOf(manifest.bytes),
    plan: planTrust(reference, context.trust.demands()),
    signal,
  })
  return {trust: kind, signature: digest === null ? null : {digest, signers, policy}}
}

/**
 * Refuses `--verify` for an image that no registry has: it would be ignored.
 *
 * @throws {UsageError}
 */
export function checkVerifiable(reference: ImageReference, {trust}: Pick<ImageContext, 'trust'>): void {
  if (trust.verify.length === 0) return
  if (reference.kind === 'container' && reference.location.kind === 'registry') return
  throw new UsageError('--verify is for images of registries.', [
    reference.kind === 'name'
      ? 'Leave it out: an image with this name is verified by the key of its publisher in any case.'
      : 'Leave it out. To verify the digest of a tarball: --sha256 HEX',
  ])
}
