import {UsageError} from '../../errors.js'
import type {BlobSource} from '../../registry/blob-source.js'
import type {KnownSignature} from '../../registry/trust/evidence.js'
import type {TrustPlan} from '../../registry/trust/plan.js'
import type {ImageReference} from '../name.js'
import type {ImageContext} from '../sources/source.js'
import type {ContainerImage, UnverifiedImage} from './container-image.js'
import type {ContainerLocation} from './location.js'

/**
 * Reads which signatures an image must have; no server is asked.
 *
 * @returns Undefined for a folder or an archive.
 * @throws As `planTrust`.
 */
export async function planVerification(
  location: ContainerLocation,
  {trust}: Pick<ImageContext, 'trust'>,
): Promise<TrustPlan | undefined> {
  if (location.kind !== 'registry') return undefined
  const {planTrust} = await import('../../registry/trust/plan.js')
  return planTrust(location.reference, trust.demands())
}

type VerifyOptions = {
  readonly plan: TrustPlan | undefined
  /** Signatures that are kept with the image. */
  readonly known?: readonly KnownSignature[]
  readonly signal: AbortSignal
}

/** Verifies the signatures of an image, before any layer is fetched. @throws As `verifyImage`. */
export async function verifyContainer(
  {location, manifest, index, trust}: UnverifiedImage,
  source: BlobSource,
  {plan, known = [], signal}: VerifyOptions,
): Promise<Pick<ContainerImage, 'trust' | 'signature'>> {
  if (location.kind !== 'registry' || plan === undefined) return {trust, signature: null}
  const {verifyImage} = await import('../../registry/trust/verify.js')
  const {kind, signature} = await verifyImage({
    source,
    reference: location.reference,
    indexDigest: index?.digest,
    manifestDigest: manifest.digest,
    plan,
    known,
    signal,
  })
  return {trust: kind, signature}
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
