import type {DebArchitecture} from '../../host/arch.js'
import type {Sha256} from '../../host/digest.js'
import type {Environment} from '../../host/http/client.js'
import {type Catalogue, isEol, isReleased, type Release} from '../catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName, type NameOptions, type Variant} from '../name.js'
import type {Content, ResolvedImage} from '../resolved-image.js'
import type {ListingKind, ScopedKeyring} from '../signature/keyring.js'

type Offer = {
  readonly source: string
  /** What goes before the distribution in the name. */
  readonly prefix: string | undefined
  readonly distribution: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  readonly origin: OfferedImage['origin']
  readonly serial?: string | undefined
  readonly sizeBytes?: number | undefined
}

/** Completes what a source has by what the catalogue knows of its release. */
export function offeredImage(offer: Offer, {releases}: Catalogue, now: Date): OfferedImage {
  const {source, prefix, distribution, suite, variant, architecture, origin, serial, sizeBytes} = offer
  const release = releases.find((one) => one.distribution === distribution && one.codename === suite)
  return {
    name: imageName({source: prefix, distribution, suite, variant}),
    source,
    distribution,
    suite,
    version: release?.version,
    variant,
    architecture,
    serial,
    sizeBytes,
    eol: release?.eol.standard,
    isEol: release !== undefined && isEol(release, now),
    origin,
  }
}

/** Xenial's: of what is older, the publishers have removed most. */
const OLDEST_KEPT = new Date('2015-10-21T00:00:00Z')

/** The Ubuntu releases whose images stay published: the long-term ones for good, others while they are supported. */
export function keptUbuntuReleases({releases}: Catalogue, now: Date): Release[] {
  return releases.filter(
    (release) =>
      release.distribution === 'ubuntu' &&
      isReleased(release, now) &&
      release.created >= OLDEST_KEPT &&
      (release.isLts || !isEol(release, now)),
  )
}

/** Where the sources are, and by what they are judged. */
export type ImageContext = {
  /** Folder URLs without a slash at their end. */
  readonly mirrors: {readonly ubuntuBase: string; readonly ubuntuCloud: string; readonly lxc: string}
  /** Further trusted keys, each for what lies below a URL. */
  readonly keyrings: readonly ScopedKeyring[]
  /** Holds the proxy variables and `SSL_CERT_FILE`. */
  readonly environment: Environment
  readonly now: Date
  /** Where large listings are kept between searches; without it they are fetched each time. */
  readonly cacheFolder?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Takes signatures over SHA-1 digests, for which two contents can be made to fit: old listings carry no other. */
  readonly allowSha1?: boolean | undefined
  readonly onNotice?: ((notice: ImageNotice) => void) | undefined
  /** The first wait before a request is repeated. */
  readonly backoffMs?: number | undefined
}

/** What is worth a line to the user while an image is looked for. */
export type ImageNotice =
  /** The signature is newer than this machine's clock, which must be behind. */
  | {readonly kind: 'clock-behind'; readonly listing: string; readonly signedAt: Date; readonly now: Date}
  /** A source did not answer; the next one is asked. */
  | {
      readonly kind: 'source-unreachable'
      readonly source: string
      readonly mirror: string
      readonly reason: string
    }

/** An image that can be had, as far as is known without asking for the very file. */
export type OfferedImage = {
  /** As `envs create` takes it: `ubuntu:focal/base`. */
  readonly name: string
  readonly source: string
  readonly distribution: string
  readonly suite: string
  /** `20.04`; undefined where the distribution has no numbers. */
  readonly version: string | undefined
  readonly variant: Variant
  readonly architecture: DebArchitecture
  /** Serial of the newest build; undefined where nothing tells. */
  readonly serial: string | undefined
  readonly sizeBytes: number | undefined
  /** Undefined for a release the catalogue does not know. */
  readonly eol: Date | undefined
  readonly isEol: boolean
  /** `catalogue`: expected by the built-in table, nobody was asked. */
  readonly origin: 'online' | 'catalogue'
}

export type SearchRequest = {readonly architecture: DebArchitecture; readonly catalogue: Catalogue}

/** What a scheme's source is given beside the words after the colon; `text` is the whole name, for messages. */
export type SchemeOptions = NameOptions & {readonly text: string}

/** A place where images come from. What the list of sources has is all that envs knows of them. */
export type ImageSource = {
  /** Stored with each image. */
  readonly id: string
  /** Tells whether it may have what the reference names; no server is asked. */
  readonly matches: (reference: ImageReference) => boolean
  /**
   * Finds out what the reference stands for just now.
   *
   * @returns undefined when the source does not have it: then the next source that matches is asked.
   * @throws {NetworkError} When the source can't be asked: then, too.
   * @throws {EnvsError} With exit code 6 when what came is not to be trusted.
   */
  readonly resolve: (reference: ImageReference, context: ImageContext) => Promise<ResolvedImage | undefined>
  /**
   * Lists what it has. @throws {NetworkError} @throws {EnvsError} As `resolve`.
   */
  readonly search?: (request: SearchRequest, context: ImageContext) => Promise<readonly OfferedImage[]>
  /** What the built-in table lets expect of it, for when it can't be asked. */
  readonly expected?: (request: SearchRequest, now: Date) => readonly OfferedImage[]
  /** Sends content to where the reference points. @returns The digest by which it is known there. */
  readonly push?: (content: Content, reference: ImageReference, context: ImageContext) => Promise<Sha256>
  /** Names with `WORD:` in front mean this source alone, which parses the rest. @throws {UnknownImageError} */
  readonly scheme?: {
    readonly word: string
    readonly parse: (rest: string, options: SchemeOptions) => ImageQuery
  }
  /** Whose keys sign its listings; undefined for a source without signatures. */
  readonly listingKind?: ListingKind
  /** The URL below which it looks, for messages. */
  readonly mirror?: (context: ImageContext) => string
}

type NamedSource = Omit<ImageSource, 'matches' | 'resolve'> & {
  readonly canServe: (query: ImageQuery) => boolean
  readonly find: (query: ImageQuery, context: ImageContext) => Promise<ResolvedImage | undefined>
}

/** Makes a source of images that are found by name alone. */
export function namedSource({canServe, find, ...source}: NamedSource): ImageSource {
  return {
    ...source,
    matches: (reference) => reference.kind === 'name' && canServe(reference.query),
    resolve: async (reference, context) =>
      reference.kind === 'name' ? find(reference.query, context) : undefined,
  }
}

/** The URL of what lies at `path` below a mirror. @param path - Relative, its parts separated by `/`. */
export function below(mirror: string, path: string): URL {
  // A colon, as in the streams' names and LXC's builds, would make a scheme of the first part.
  return new URL(`${mirror.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`)
}
