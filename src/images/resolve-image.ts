import {EnvsError, ExitCode} from '../errors.js'
import type {Sha256} from '../host/digest.js'
import {isErrno} from '../host/errno.js'
import {digestMismatchError} from '../host/errors.js'
import {imageRecordUnreadableError} from './cache/errors.js'
import {findKept, type KeptImage, readEvidence} from './cache/kept-images.js'
import {findImage} from './find-image.js'
import type {ImageReference, NamedReference} from './published-image.js'
import type {ResolvedImage} from './resolved-image.js'
import {reverify} from './reverify.js'
import type {ImageContext} from './sources/source.js'

/** A kept image that a reference means; `reason` says why its publisher was not asked, or could not be. */
export type KeptResolution = {
  readonly kind: 'kept'
  readonly image: KeptImage
  readonly reason: string
}

/** Which image a reference means just now. */
export type Resolution = {readonly kind: 'found'; readonly image: ResolvedImage} | KeptResolution

type ResolveOptions = {
  /** The folder of kept images. */
  readonly images: string
  readonly context: ImageContext
  /** What the image must be. */
  readonly sha256?: Sha256 | undefined
  /** Whether only the newest will do: then no kept image is fallen back on. */
  readonly isNewest?: boolean | undefined
}

/** Long enough for every source that is there; who has the image already does not wait longer for the others. */
const PATIENCE_MS = 8000

/**
 * Asks the sources, and falls back on a kept image, verified anew, where they can't be reached or no
 * longer have it. A listing that is not to be trusted is never fallen back from.
 *
 * @throws {DigestMismatchError} @throws As `findImage` and `reverify`.
 */
export async function resolveImage(reference: ImageReference, options: ResolveOptions): Promise<Resolution> {
  const {context, images, sha256, isNewest = false} = options
  const kept = reference.kind === 'name' && !isNewest ? await findKept(images, reference.query) : undefined
  if (reference.kind !== 'name' || kept === undefined)
    return found(await findImage(reference, context), sha256)
  const published = await askPatiently(reference, options)
  if (typeof published !== 'string') return found(published, sha256)
  await verifyAgain(kept, {images, context})
  holdTo(sha256, {name: kept.name, digest: kept.sha256})
  return {kind: 'kept', image: kept, reason: published}
}

/** @returns Why there is no image to be had, where that is no worse than that. */
async function askPatiently(
  reference: NamedReference,
  {context}: ResolveOptions,
): Promise<ResolvedImage | string> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const signal = context.signal === undefined ? patience : AbortSignal.any([context.signal, patience])
  try {
    return await findImage(reference, {...context, signal})
  } catch (error) {
    context.signal?.throwIfAborted()
    const reason = patience.aborted
      ? `There was no answer in ${PATIENCE_MS / 1000} seconds.`
      : absenceOf(error)
    if (reason === undefined) throw error
    return reason
  }
}

/** Holds what was found to the digest that the user gave: it is what vouches for bytes that nobody else vouches for. */
function found(image: ResolvedImage, sha256: Sha256 | undefined): Resolution {
  const {digest, label, source} = image
  if (sha256 !== undefined && digest === undefined)
    return {kind: 'found', image: {...image, digest: sha256, trust: {kind: 'digest'}}}
  holdTo(sha256, {name: label?.name ?? source, digest})
  return {kind: 'found', image}
}

/** @throws {DigestMismatchError} */
export function holdTo(
  wanted: Sha256 | undefined,
  {name, digest}: {name: string; digest: Sha256 | undefined},
): void {
  if (wanted !== undefined && digest !== undefined && wanted !== digest)
    throw digestMismatchError({source: name, expected: wanted, actual: digest})
}

/** Why the publishers had no image to give; undefined where they did something worse. */
function absenceOf(error: unknown): string | undefined {
  if (!(error instanceof EnvsError)) return undefined
  return error.exitCode === ExitCode.network || error.exitCode === ExitCode.notFound
    ? error.message
    : undefined
}

async function verifyAgain(
  kept: KeptImage,
  {images, context}: {images: string; context: ImageContext},
): Promise<void> {
  const evidence = await readEvidence(images, kept).catch((error: unknown) => {
    if (!isErrno(error)) throw error
    throw imageRecordUnreadableError(
      {path: kept.path, reason: 'its listing and signature are missing'},
      {cause: error},
    )
  })
  const {keyrings, now, allowSha1 = false} = context
  await reverify({...kept, url: new URL(kept.url), evidence}, {keyrings, now, allowSha1})
}
