import {EnvsError, ExitCode, errnoOf} from '../errors.js'
import type {Sha256} from '../host/digest.js'
import {redactUrl} from '../host/http/redact-url.js'
import {imageRecordUnreadableError} from './cache/errors.js'
import {findKept, type KeptImage, readEvidence} from './cache/kept-images.js'
import {findImage} from './find-image.js'
import type {Publication} from './opened-image.js'
import type {ImageQuery, PublishedImage} from './published-image.js'
import {reverify} from './reverify.js'
import type {ImageContext} from './sources/source.js'

/** Which image a query means just now. */
export type Resolution =
  | {readonly kind: 'published'; readonly image: PublishedImage}
  /** Nobody could be asked, so that it is the one kept here, if perhaps not the newest; `reason` says why. */
  | {readonly kind: 'kept'; readonly image: KeptImage; readonly reason: string}

/** Long enough for every source that is there; who has the image already does not wait longer for the others. */
const PATIENCE_MS = 8000

/**
 * Asks the publishers, and falls back on a kept image, verified anew, where they can't be reached or no
 * longer have it. A listing that is not to be trusted is never fallen back from.
 *
 * @param images - The folder of kept images.
 * @throws As `findImage` and `reverify`.
 */
export async function resolveImage(
  query: ImageQuery,
  {images, context}: {images: string; context: ImageContext},
): Promise<Resolution> {
  const kept = await findKept(images, query)
  if (kept === undefined) return {kind: 'published', image: await findImage(query, context)}
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const signal = context.signal === undefined ? patience : AbortSignal.any([context.signal, patience])
  try {
    return {kind: 'published', image: await findImage(query, {...context, signal})}
  } catch (error) {
    context.signal?.throwIfAborted()
    const reason = patience.aborted
      ? `There was no answer in ${PATIENCE_MS / 1000} seconds.`
      : absenceOf(error)
    if (reason === undefined) throw error
    await verifyAgain(kept, {images, context})
    return {kind: 'kept', image: kept, reason}
  }
}

/** What its publisher says of an image, wherever it comes from. */
export function publicationOf(
  resolution: Resolution,
): Publication & {readonly source: string; readonly sha256: Sha256} {
  const {image} = resolution
  const {name, version, sha256} = image
  const {signer, signedAt} = resolution.kind === 'published' ? resolution.image.evidence : resolution.image
  const archive = resolution.kind === 'kept' ? resolution.image.archive : null
  return {name, version, signer, signedAt, archive, sha256, source: redactUrl(new URL(image.url))}
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
    if (errnoOf(error) === undefined) throw error
    throw imageRecordUnreadableError(
      {path: kept.path, reason: 'its listing and signature are missing'},
      {cause: error},
    )
  })
  const {keyrings, now, allowSha1 = false} = context
  await reverify({...kept, url: new URL(kept.url), evidence}, {keyrings, now, allowSha1})
}
