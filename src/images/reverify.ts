import {basename} from 'node:path/posix'
import type {Sha256} from '../host/digest.js'
import type {Evidence} from './resolved-image.js'
import {type ScopedKeyring, trustedKeys} from './signature/keyring.js'
import {verifyCleartext, verifyDetached} from './signature/verify.js'
import {notInListingError, unknownSourceError} from './sources/errors.js'
import {SOURCES} from './sources/index.js'
import {parseSha256Sums} from './sources/listings.js'

/** The claims about a published image that the evidence is checked against. */
export type ClaimedImage = {
  readonly source: string
  readonly url: URL
  readonly sha256: Sha256
  readonly evidence: Pick<Evidence, 'listing' | 'signature'>
}

type ReverifyOptions = {
  readonly keyrings: readonly ScopedKeyring[]
  readonly now: Date
  readonly allowSha1?: boolean | undefined
}

/**
 * Verifies a cached image offline: its stored listing is signed by a pinned key of the source, and lists the file
 * of `url` with this digest.
 *
 * @throws {@link unknownSourceError} @throws {@link notInListingError} @throws {MalformedListingError}
 * @throws {EnvsError} With exit code 6, of images/signature/errors.ts.
 */
export async function reverify(
  {source: id, url, sha256, evidence}: ClaimedImage,
  {keyrings, now, allowSha1}: ReverifyOptions,
): Promise<Pick<Evidence, 'signer' | 'signedAt'>> {
  const kind = SOURCES.find((one) => one.id === id)?.listingKind
  if (kind === undefined) throw unknownSourceError({source: id})
  const {listing, signature} = evidence
  // The listing is in the folder of the file.
  const keys = await trustedKeys({kind, from: url}, keyrings)
  const options = {keys, now, allowSha1}
  const {data, signer, signedAt} =
    signature === undefined
      ? await verifyCleartext(listing, options)
      : await verifyDetached({listing, signature}, options)
  const file = decodeURIComponent(basename(url.pathname))
  if (parseSha256Sums(data, listing.name).get(file) !== sha256)
    throw notInListingError({file, listing: listing.name})
  return {signer, signedAt}
}
