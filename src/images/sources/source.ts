import type {Sha256} from '../../host/digest.js'
import type {Environment} from '../../host/http/proxy.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import type {RegistryOptions} from '../../registry/connection.js'
import type {TrustOptions} from '../../registry/trust/plan.js'
import {type Catalogue, isEol, isReleased, type Release} from '../catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName, type NameOptions, type Variant} from '../name.js'
import type {Content, ResolvedImage} from '../resolved-image.js'
import type {ListingKind, ScopedKeyring} from '../signature/keyring.js'

/** An image source. The list of sources is the only place that names them. */
export type ImageSource = {
  /** Stored with each image. */
  readonly id: string
  /** Returns whether the source may have the image; sends no request. */
  readonly matches: (reference: ImageReference) => boolean
  /**
   * Resolves the reference.
   *
   * @returns undefined if the source does not have the image: then the next matching source is asked.
   * @throws {NetworkError} If the source is unreachable: then the next matching source is asked too.
   * @throws {EnvsError} With exit code 6 if the response is not trusted.
   */
  readonly resolve: (reference: ImageReference, context: ImageContext) => Promise<ResolvedImage | undefined>
  /** Lists the images of the source. @throws {NetworkError} @throws {EnvsError} As `resolve`. */
  readonly search?: (request: SearchRequest, context: ImageContext) => Promise<readonly OfferedImage[]>
  /** Estimates the images of the source from the built-in table, if it is unreachable. */
  readonly expected?: (request: SearchRequest, now: Date) => readonly OfferedImage[]
  /** Uploads content to the reference. @returns The digest by which it is known there. */
  readonly push?: (content: Content, reference: ImageReference, context: ImageContext) => Promise<Sha256>
  /** Names with the prefix `WORD:` mean only this source, which parses the rest. @throws {UnknownImageError} */
  readonly scheme?: {
    readonly word: string
    readonly parse: (rest: string, options: SchemeOptions) => ImageQuery
  }
  /** The kind of its listings, which selects their keys; undefined for a source without signatures. */
  readonly listingKind?: ListingKind
  /** The URL of its mirror, for messages. */
  readonly mirror?: (context: ImageContext) => string
}

/** Mirrors, trusted keys and options of the sources. */
export type ImageContext = {
  /** Folder URLs without a slash at their end. */
  readonly mirrors: {readonly ubuntuBase: string; readonly ubuntuCloud: string; readonly lxc: string}
  /** Additional trusted keys, each for the URLs below a mirror. */
  readonly keyrings: readonly ScopedKeyring[]
  /** Holds the proxy variables and `SSL_CERT_FILE`. */
  readonly environment: Environment
  readonly now: Date
  /** The signatures that images of registries must have. */
  readonly trust: {
    /** Values of `--verify`. */
    readonly verify: readonly string[]
    /** Reads the settings: only an image of a registry needs them. @throws {@link invalidSettingError} */
    readonly demands: () => TrustOptions
  }
  /** Folder in which large listings are cached; without it they are fetched each time. */
  readonly cacheFolder?: string | undefined
  /** Folder for the copy of a compressed archive; by default that of temporary files. */
  readonly copyFolder?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Accepts signatures over SHA-1 digests, for which collisions can be made: old listings have no other. */
  readonly allowSha1?: boolean | undefined
  readonly onNotice?: ((notice: ImageNotice) => void) | undefined
  /** Wait before the first retry. */
  readonly backoffMs?: number | undefined
  /** How registries of container images are reached; without it, none is asked. */
  readonly registries?: Pick<RegistryOptions, 'settings' | 'host'> | undefined
}

/** A notice for the user while an image is looked up. */
export type ImageNotice =
  /** The signature is newer than the clock of this host, which must be slow. */
  | {readonly kind: 'clock-behind'; readonly listing: string; readonly signedAt: Date; readonly now: Date}
  /** A source did not answer; the next one is asked. */
  | {
      readonly kind: 'source-unreachable'
      readonly source: string
      readonly mirror: string
      readonly reason: string
    }
  /** A registry did not answer; the image that was fetched before is used. */
  | {
      readonly kind: 'registry-unreachable'
      readonly name: string
      readonly fetchedAt: Date
      readonly reason: string
    }

/** An image that is offered, as far as known without a request for the file. */
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
  /** Serial of the newest build, if known. */
  readonly serial: string | undefined
  readonly sizeBytes: number | undefined
  /** End of standard support; undefined for a release that the catalogue does not know. */
  readonly eol: Date | undefined
  readonly isEol: boolean
  /** `catalogue`: estimated from the built-in table, without a request. */
  readonly origin: 'online' | 'catalogue'
}

export type SearchRequest = {readonly architecture: DebArchitecture; readonly catalogue: Catalogue}

/** Options of a scheme parser; `text` is the whole name, for messages. */
export type SchemeOptions = NameOptions & {readonly text: string}

type NamedSource = Omit<ImageSource, 'matches' | 'resolve'> & {
  readonly canServe: (query: ImageQuery) => boolean
  readonly find: (query: ImageQuery, context: ImageContext) => Promise<ResolvedImage | undefined>
}

/** Returns a source that resolves only names. */
export function namedSource({canServe, find, ...source}: NamedSource): ImageSource {
  return {
    ...source,
    matches: (reference) => reference.kind === 'name' && canServe(reference.query),
    resolve: async (reference, context) =>
      reference.kind === 'name' ? find(reference.query, context) : undefined,
  }
}

type ImageOffer = {
  readonly source: string
  /** Prefix before the distribution in the name. */
  readonly prefix: string | undefined
  readonly distribution: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  readonly origin: OfferedImage['origin']
  readonly serial?: string | undefined
  readonly sizeBytes?: number | undefined
}

/** Adds the catalogue's facts about the release to an offer. */
export function offeredImage(offer: ImageOffer, {releases}: Catalogue, now: Date): OfferedImage {
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

/** Creation day of xenial: the publishers removed most older images. */
const OLDEST_KEPT = new Date('2015-10-21T00:00:00Z')

/**
 * Returns the Ubuntu releases whose images stay published: LTS releases, and other releases while they are
 * supported.
 */
export function keptUbuntuReleases({releases}: Catalogue, now: Date): Release[] {
  return releases.filter(
    (release) =>
      release.distribution === 'ubuntu' &&
      isReleased(release, now) &&
      release.created >= OLDEST_KEPT &&
      (release.isLts || !isEol(release, now)),
  )
}

/** Returns the URL of `path` below a mirror. @param path - Relative, its parts separated by `/`. */
export function below(mirror: string, path: string): URL {
  // Concatenates, because `new URL` would read a colon in the first part (streams, LXC builds) as a scheme.
  return new URL(`${mirror.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`)
}
