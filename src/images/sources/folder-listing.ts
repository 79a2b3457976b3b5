import type {Sha256} from '../../host/digest.js'
import type {ListingKind} from '../../signature/pinned-keys.js'
import {imageName} from '../image-name.js'
import {parseSha256Sums} from '../listing/sha256sums.js'
import type {ImageQuery, Variant} from '../published-image.js'
import type {Evidence, PublishedImage} from '../resolved-image.js'
import {below} from './folder-url.js'
import {fetchSignedListing} from './signed-listing.js'
import type {ImageContext} from './source.js'

/** A folder of a publisher with its SHA256SUMS, verified and read. */
export type FolderListing = {
  readonly mirror: string
  readonly folder: string
  readonly sums: ReadonlyMap<string, Sha256>
  readonly evidence: Evidence
}

type Place = {
  readonly mirror: string
  /** Below the mirror, with a slash at its end. */
  readonly folder: string
  readonly kind: ListingKind
  /** Of the signature's file, behind `SHA256SUMS`. */
  readonly suffix?: '.gpg' | '.asc'
}

/** @returns undefined when there is no such folder. @throws {EnvsError} As `fetchSignedListing`. */
export async function fetchFolderListing(
  {mirror, folder, kind, suffix = '.gpg'}: Place,
  context: ImageContext,
): Promise<FolderListing | undefined> {
  const place = {mirror, folder, kind, listing: 'SHA256SUMS', signature: `SHA256SUMS${suffix}`}
  const listing = await fetchSignedListing(place, context)
  if (listing === undefined) return undefined
  const {data, name, evidence} = listing
  return {mirror, folder, sums: parseSha256Sums(data, name), evidence}
}

/** The day the listing was signed, as a serial: for folders that tell no other of their content. */
export function signingDay({evidence}: FolderListing): string {
  return evidence.signedAt.toISOString().slice(0, 10).replaceAll('-', '')
}

/** @returns undefined when the folder does not have the file. */
export function imageInFolder(
  {mirror, folder, sums, evidence}: FolderListing,
  {
    query,
    scheme,
    ...image
  }: {
    query: ImageQuery
    source: string
    /** Before the distribution in the name, of a source that has one. */
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
