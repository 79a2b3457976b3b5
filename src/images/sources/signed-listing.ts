import {createHash} from 'node:crypto'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {redactUrl} from '../../host/http/client.js'
import {fetchCached, fetchSmall} from '../../host/http/fetch.js'
import {waitForRetry} from '../../host/http/retry.js'
import {type ImageQuery, imageName, type Variant} from '../name.js'
import type {Evidence, PublishedImage} from '../resolved-image.js'
import {BadSignatureError, SignatureUnreadableError} from '../signature/errors.js'
import {type ListingKind, trustedKeys} from '../signature/keyring.js'
import {type NamedBytes, type Verified, verifyCleartext, verifyDetached} from '../signature/verify.js'
import {unsignedListingError} from './errors.js'
import {parseSha256Sums} from './listings.js'
import {below, type ImageContext} from './source.js'

/** A publisher's folder with its verified SHA256SUMS. */
export type FolderListing = {
  readonly mirror: string
  readonly folder: string
  readonly sums: ReadonlyMap<string, Sha256>
  readonly evidence: Evidence
}

type FolderPlace = {
  readonly mirror: string
  /** Path below the mirror, ending with a slash. */
  readonly folder: string
  readonly kind: ListingKind
  /** Suffix of the signature file after `SHA256SUMS`. */
  readonly suffix?: '.gpg' | '.asc'
}

/**
 * Fetches the listing of a folder.
 *
 * @returns undefined if the folder does not exist. @throws {EnvsError} As `fetchSignedListing`.
 */
export async function fetchFolderListing(
  {mirror, folder, kind, suffix = '.gpg'}: FolderPlace,
  context: ImageContext,
): Promise<FolderListing | undefined> {
  const place = {mirror, folder, kind, listing: 'SHA256SUMS', signature: `SHA256SUMS${suffix}`}
  const listing = await fetchSignedListing(place, context)
  if (listing === undefined) return undefined
  const {data, name, evidence} = listing
  return {mirror, folder, sums: parseSha256Sums(data, name), evidence}
}

/** Returns the day of the signature as a serial, for folders without another version. */
export function signingDay({evidence}: FolderListing): string {
  return evidence.signedAt.toISOString().slice(0, 10).replaceAll('-', '')
}

/**
 * Returns the image of a file in the folder; undefined if the file is not listed.
 *
 * @returns undefined when the folder does not have the file.
 */
export function imageInFolder(
  {mirror, folder, sums, evidence}: FolderListing,
  {
    query,
    scheme,
    ...image
  }: {
    query: ImageQuery
    source: string
    /** Prefix before the distribution in the name. */
    scheme?: string
    variant: Variant
    version: string
    file: string
  },
): PublishedImage | undefined {
  const sha256 = sums.get(image.file)
  if (sha256 === undefined) return undefined
  const {suite, architecture, distribution} = query
  const {source, variant, version} = image
  return {
    source,
    digest: sha256,
    trust: {kind: 'signed', evidence},
    content: {
      kind: 'tarball',
      layer: {
        location: {kind: 'url', url: below(mirror, folder + encodeURIComponent(image.file))},
        digest: sha256,
        sizeBytes: undefined,
      },
    },
    label: {
      name: imageName({source: scheme, distribution, suite, variant}),
      suite,
      variant,
      architecture,
      version,
    },
  }
}

export type SignedListing = {
  /** The verified bytes. */
  readonly data: Buffer
  /** Name in errors. */
  readonly name: string
  readonly evidence: Evidence
}

type SignedListingPlace = {
  readonly mirror: string
  /** Path below the mirror, ending with a slash. */
  readonly folder: string
  readonly kind: ListingKind
}

/** A folder listing has some kilobytes; the index of LXC has 30. */
const MAX_LISTING_BYTES = 4 * 1024 ** 2
const MAX_SIGNATURE_BYTES = 64 * 1024
/** The products of all Ubuntu releases take about 8 MB. */
const MAX_STREAM_BYTES = 64 * 1024 ** 2

/** Publishers replace the listing first, and its signature seconds later. */
const RACE_TRIES = 3
const RACE_WAIT_MS = 2000

/**
 * Fetches a listing and its detached signature, and verifies it.
 *
 * An invalid signature may belong to the previous listing: both files are fetched again, past all caches, before
 * the mirror is reported.
 *
 * @returns undefined when there is no such listing.
 * @throws {@link unsignedListingError} @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of images/signature/errors.ts.
 */
export async function fetchSignedListing(
  {mirror, folder, kind, listing, signature}: SignedListingPlace & {listing: string; signature: string},
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
      return signedListing(verified, {
        url,
        listing: {name: listing, bytes},
        signature: parts.signature,
        context,
      })
    } catch (error) {
      const isRace = error instanceof BadSignatureError || error instanceof SignatureUnreadableError
      if (!isRace || tries === RACE_TRIES) throw error
    }
    await waitForRetry(context.backoffMs ?? RACE_WAIT_MS, context.signal)
  }
}

/**
 * Fetches a clearsigned listing, and verifies it.
 *
 * @returns undefined when there is no such listing.
 * @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of images/signature/errors.ts.
 */
export async function fetchClearsigned(
  {mirror, folder, kind, listing}: SignedListingPlace & {listing: string},
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
  return signedListing(verified, {url, listing: {name: listing, bytes}, signature: undefined, context})
}

function signedListing(
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

/** Returns the cache key, a digest: a URL may be longer than a file name allows, and may hold a password. */
function keyOf(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex').slice(0, 32)
}
