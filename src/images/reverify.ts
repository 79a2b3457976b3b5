import {basename} from 'node:path/posix'
import type {Sha256} from '../host/digest.js'
import {type ScopedKeyring, trustedKeys} from '../signature/keyring.js'
import {verifyCleartext, verifyDetached} from '../signature/verify.js'
import {parseSha256Sums} from './listing/sha256sums.js'
import type {Evidence} from './resolved-image.js'
import {notInListingError, unknownSourceError} from './sources/errors.js'
import {SOURCES} from './sources/list.js'

/** The part of a published image that its evidence is held against. */
export type Claimed = {
  readonly source: string
  readonly url: URL
  readonly sha256: Sha256
  readonly evidence: Pick<Evidence, 'listing' | 'signature'>
}

type Options = {
  readonly keyrings: readonly ScopedKeyring[]
  readonly now: Date
  readonly allowSha1?: boolean | undefined
}

/**
 * Does the check of `findImage` again without any network: the stored listing is signed by a pinned key of
 * that source, and gives the file of `url` this digest.
 *
 * @throws {@link unknownSourceError} @throws {@link notInListingError} @throws {MalformedListingError}
 * @throws {EnvsError} With exit code 6, of signature/errors.ts.
 */
export async function reverify(
  {source: id, url, sha256, evidence}: Claimed,
  {keyrings, now, allowSha1}: Options,
): Promise<Pick<Evidence, 'signer' | 'signedAt'>> {
  const kind = SOURCES.find((one) => one.id === id)?.listingKind
  if (kind === undefined) throw unknownSourceError({source: id})
  const {listing, signature} = evidence
  // The listing lies beside the file.
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
