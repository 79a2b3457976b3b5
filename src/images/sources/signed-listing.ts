import {createHash} from 'node:crypto'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {fetchCached} from '../../host/http/fetch-cached.js'
import {fetchSmall} from '../../host/http/fetch-small.js'
import {redactUrl} from '../../host/http/redact-url.js'
import {BadSignatureError, SignatureUnreadableError} from '../../signature/errors.js'
import {trustedKeys} from '../../signature/keyring.js'
import type {ListingKind} from '../../signature/pinned-keys.js'
import {type NamedBytes, type Verified, verifyCleartext, verifyDetached} from '../../signature/verify.js'
import type {Evidence} from '../resolved-image.js'
import {unsignedListingError} from './errors.js'
import {below} from './folder-url.js'
import type {ImageContext} from './source.js'

export type SignedListing = {
  /** The verified bytes. */
  readonly data: Buffer
  /** To name it in errors. */
  readonly name: string
  readonly evidence: Evidence
}

type Place = {
  readonly mirror: string
  /** Folder below the mirror, with a slash at its end. */
  readonly folder: string
  readonly kind: ListingKind
}

/** A folder's listing is some kilobytes; LXC's index of all images 30. */
const MAX_LISTING_BYTES = 4 * 1024 ** 2
const MAX_SIGNATURE_BYTES = 64 * 1024
/** The products of all Ubuntu releases: some 8 MB. */
const MAX_STREAM_BYTES = 64 * 1024 ** 2

/** Publishers replace the listing first and sign it seconds later. */
const RACE_TRIES = 3
const RACE_WAIT_MS = 2000

/**
 * Fetches a listing and its signature and verifies one against the other.
 *
 * A signature that does not fit may be the one of the listing before: both are then fetched anew, past all caches, before
 * that is held against the mirror.
 *
 * @returns undefined when there is no such listing.
 * @throws {@link unsignedListingError} @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of signature/errors.ts.
 */
export async function fetchSignedListing(
  {mirror, folder, kind, listing, signature}: Place & {listing: string; signature: string},
  context: ImageContext,
): Promise<SignedListing | undefined> {
  const keys = await trustedKeys({kind, from: below(mirror, folder + listing)}, context.keyrings)
  for (let tries = 1; ; tries++) {
    const isFresh = tries > 1
    const fetchPart = (file: string, maxBytes: number) =>
      fetchSmall(below(mirror, folder + file), {...context, maxBytes, isFresh})
    const [bytes, signed] = await Promise.all([
      fetchPart(listing, MAX_LISTING_BYTES),
      fetchPart(signature, MAX_SIGNATURE_BYTES),
    ])
    if (bytes === undefined) return undefined
    const url = redactUrl(below(mirror, folder + listing))
    if (signed === undefined) throw unsignedListingError({listing: url, signature})
    const parts = {listing: {name: url, bytes}, signature: {name: signature, bytes: signed}}
    try {
      const verified = await verifyDetached(parts, {...context, keys})
      return described(verified, {
        url,
        listing: {name: listing, bytes},
        signature: parts.signature,
        context,
      })
    } catch (error) {
      const isRace = error instanceof BadSignatureError || error instanceof SignatureUnreadableError
      if (!isRace || tries === RACE_TRIES) throw error
    }
    await pause(context.backoffMs ?? RACE_WAIT_MS, context.signal)
  }
}

/**
 * Fetches a listing that carries its signature inside.
 *
 * @returns undefined when there is no such listing.
 * @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of signature/errors.ts.
 */
export async function fetchClearsigned(
  {mirror, folder, kind, listing}: Place & {listing: string},
  context: ImageContext,
): Promise<SignedListing | undefined> {
  const from = below(mirror, folder + listing)
  const keys = await trustedKeys({kind, from}, context.keyrings)
  const options = {...context, maxBytes: MAX_STREAM_BYTES}
  const bytes =
    context.cacheFolder === undefined
      ? await fetchSmall(from, options)
      : await fetchCached(from, join(context.cacheFolder, 'listings', keyOf(from)), options)
  if (bytes === undefined) return undefined
  const url = redactUrl(from)
  const verified = await verifyCleartext({name: url, bytes}, {...context, keys})
  return described(verified, {url, listing: {name: listing, bytes}, signature: undefined, context})
}

function described(
  {data, signer, signedAt, isClockBehind}: Verified,
  {
    url,
    listing,
    signature,
    context,
  }: {url: string; listing: NamedBytes; signature: NamedBytes | undefined; context: ImageContext},
): SignedListing {
  if (isClockBehind) context.onNotice?.({kind: 'clock-behind', listing: url, signedAt, now: context.now})
  return {data, name: url, evidence: {listing, signature, url, signer, signedAt}}
}

/** A digest: URLs are longer than names of files may be, and may hold a password. */
function keyOf(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex').slice(0, 32)
}

/** The reason of `signal` rather than the AbortError that the timer would make of it. */
async function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(waitMs, undefined, signal === undefined ? {} : {signal}).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw error
  })
}
