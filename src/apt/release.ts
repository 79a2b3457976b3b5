import {join} from 'node:path'
import * as v from 'valibot'
import {keepBody, readBody} from '../host/cache.js'
import {sha256Of} from '../host/digest.js'
import {NetworkError} from '../host/http/errors.js'
import {askSmall, fetchSmall} from '../host/http/fetch.js'
import {type Validators, validatorsSchema} from '../host/http/part.js'
import {waitForRetry} from '../host/http/retry.js'
import type {Paths} from '../host/paths.js'
import {BadSignatureError, SignatureUnreadableError} from '../images/signature/errors.js'
import {pinnedKeys, type TrustedKey, trustedKeys} from '../images/signature/keyring.js'
import {type Verified, verifyCleartext, verifyDetached} from '../images/signature/verify.js'
import {
  type ArchiveContext,
  type ArchiveRelease,
  keyOf,
  type MirrorSuite,
  type UsedPocket,
  urlInSuite,
} from './context.js'
import {downgradedReleaseError, type SuitePlace, unsignedReleaseError} from './errors.js'
import type {Pocket} from './pockets.js'
import {
  checkRelease,
  newestSeen,
  parseReleaseFile,
  type ReleaseFile,
  rememberSeen,
  seenFolder,
} from './release-file.js'

/** A pocket's Release, verified and checked against the request. */
export type OpenedRelease = {
  readonly place: MirrorSuite
  readonly file: ReleaseFile
  readonly used: Omit<UsedPocket, 'components'>
}

type ReleaseRequest = {readonly pocket: Pocket; readonly release: ArchiveRelease}

/**
 * Opens the Release of a pocket at one mirror: it is signed by the keys of the pocket, belongs to it, has not
 * expired, and is not older than one seen before.
 *
 * If the mirror is unreachable, a cached Release is used while it is valid.
 *
 * @returns undefined if the mirror answers that it has none.
 * @throws {EnvsError} With exit code 6 for content that is not trusted.
 * @throws {NetworkError}
 * @throws {ArchiveStorageError}
 */
export async function openRelease(
  place: MirrorSuite,
  asked: ReleaseRequest,
  context: ArchiveContext,
): Promise<OpenedRelease | undefined> {
  const keys = await keysFor(place, asked, context)
  const path = cachedReleasePath(context.paths, place)
  const kept = readCachedRelease(path)
  const open = async (served: VerifiedRelease) => {
    const file = parseReleaseFile(served.verified.data, place)
    checkRelease(file, {place, pocket: asked.pocket, context})
    return {served, file}
  }
  const fetchAndOpen = async (isFresh: boolean) => {
    const served = await fetchRelease(place, {keys, known: kept, isFresh}, context)
    return served === undefined ? undefined : open(served)
  }
  const seen = seenFolder(context.paths, place)
  try {
    let opened = await fetchAndOpen(false)
    if (opened === undefined) return undefined
    // A proxy cache, or one of several servers, may be outdated.
    if (await isOlder(seen, opened.file)) opened = (await fetchAndOpen(true)) ?? opened
    await refuseOlder(seen, opened.file, place)
    await rememberSeen(seen, opened.file.date)
    await cacheRelease(path, opened.served)
    return openedRelease(place, asked.pocket, opened, context)
  } catch (error) {
    if (!(error instanceof NetworkError) || kept === undefined) throw error
    const opened = await open(await verifyRelease(place, kept, {keys}, context))
    await refuseOlder(seen, opened.file, place)
    const {suite, mirror} = place
    const {date} = opened.file
    context.onNotice?.({kind: 'release-from-cache', suite, mirror, date, reason: error.reason})
    return openedRelease(place, asked.pocket, opened, context)
  }
}

/** Moved releases may be signed by keys that Debian has withdrawn since. */
async function keysFor(
  place: MirrorSuite,
  {pocket: {kind}, release}: ReleaseRequest,
  {keyrings, pinnedKeys: findPinned = pinnedKeys}: ArchiveContext,
): Promise<TrustedKey[]> {
  const keys = await trustedKeys({kind, from: urlInSuite(place, 'InRelease')}, keyrings, findPinned)
  if (!release.hasMoved || release.distribution !== 'debian') return keys
  const moved = kind === 'debian-security' ? 'debian-security-moved' : 'debian-archive-moved'
  return [...keys, ...(await findPinned(moved))]
}

async function isOlder(seen: string, {date}: ReleaseFile): Promise<boolean> {
  const newest = await newestSeen(seen)
  return newest !== undefined && date < newest
}

async function refuseOlder(seen: string, {date}: ReleaseFile, place: MirrorSuite): Promise<void> {
  const newest = await newestSeen(seen)
  if (newest !== undefined && date < newest) {
    throw downgradedReleaseError({...place, date, newest, record: seen})
  }
}

function openedRelease(
  place: MirrorSuite,
  pocket: Pocket,
  {served, file}: {served: VerifiedRelease; file: ReleaseFile},
  {now, onNotice}: ArchiveContext,
): OpenedRelease {
  const {signer, signedAt, isClockBehind} = served.verified
  if (isClockBehind)
    onNotice?.({kind: 'clock-behind', listing: `${place.suite} at ${place.mirror}`, signedAt, now})
  return {
    place,
    file,
    used: {
      name: pocket.name,
      suite: pocket.suite,
      mirror: place.mirror,
      offered: file.components,
      inReleaseSha256: sha256Of(served.release),
      date: file.date,
      validUntil: file.validUntil,
      signer,
    },
  }
}

/** Ten times the size of the largest Release. */
const MOST_RELEASE_BYTES = 8 * 2 ** 20
const MOST_SIGNATURE_BYTES = 64 * 1024

export type VerifiedRelease = SignedRelease & {readonly verified: Verified}

type FetchReleaseOptions = {
  readonly keys: readonly TrustedKey[]
  /** The cached Release, which need not be sent again. */
  readonly known?: SignedRelease | undefined
  /** Bypasses proxy caches. */
  readonly isFresh?: boolean
}

/** Publishers replace Release first, and its signature later. */
const RACE_TRIES = 3
const RACE_WAIT_MS = 2000

/**
 * Fetches the InRelease of a suite, else Release and Release.gpg, and verifies it.
 *
 * @returns undefined when the mirror says that there is neither.
 * @throws {@link unsignedReleaseError} @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of images/signature/errors.ts.
 */
async function fetchRelease(
  place: MirrorSuite,
  options: FetchReleaseOptions,
  context: ArchiveContext,
): Promise<VerifiedRelease | undefined> {
  const {known, isFresh = false} = options
  const answer = await askSmall(urlInSuite(place, 'InRelease'), {
    ...context,
    maxBytes: MOST_RELEASE_BYTES,
    isFresh,
    ...(known === undefined || known.signature !== undefined || isFresh ? {} : {known: known.validators}),
  })
  switch (answer.kind) {
    case 'missing':
      return fetchPair(place, options, context)
    case 'unchanged':
      return known === undefined ? undefined : verifyRelease(place, known, options, context)
    case 'whole': {
      const served = {release: answer.body, signature: undefined, validators: answer.validators}
      return verifyRelease(place, served, options, context)
    }
  }
}

async function fetchPair(
  place: MirrorSuite,
  options: FetchReleaseOptions,
  context: ArchiveContext,
): Promise<VerifiedRelease | undefined> {
  for (let tries = 1; ; tries++) {
    const isFresh = tries > 1 || options.isFresh === true
    const fetchPart = (file: string, maxBytes: number) =>
      fetchSmall(urlInSuite(place, file), {...context, maxBytes, isFresh})
    const [release, signature] = await Promise.all([
      fetchPart('Release', MOST_RELEASE_BYTES),
      fetchPart('Release.gpg', MOST_SIGNATURE_BYTES),
    ])
    if (release === undefined) return undefined
    if (signature === undefined) throw unsignedReleaseError(place)
    try {
      return await verifyRelease(place, {release, signature, validators: {}}, options, context)
    } catch (error) {
      const isRace = error instanceof BadSignatureError || error instanceof SignatureUnreadableError
      if (!isRace || tries === RACE_TRIES) throw error
    }
    await waitForRetry(context.backoffMs ?? RACE_WAIT_MS, context.signal)
  }
}

/** @throws {EnvsError} With exit code 6, of images/signature/errors.ts. */
async function verifyRelease(
  place: MirrorSuite,
  served: SignedRelease,
  {keys}: Pick<FetchReleaseOptions, 'keys'>,
  context: ArchiveContext,
): Promise<VerifiedRelease> {
  const {release, signature} = served
  const options = {keys, now: context.now, allowSha1: context.allowSha1}
  const name = (file: string) => `${place.mirror}/dists/${place.suite}/${file}`
  const verified =
    signature === undefined
      ? await verifyCleartext({name: name('InRelease'), bytes: release}, options)
      : await verifyDetached(
          {
            listing: {name: name('Release'), bytes: release},
            signature: {name: name('Release.gpg'), bytes: signature},
          },
          options,
        )
  return {...served, verified}
}

/** A Release as served, unverified, with an inline or a detached signature. */
export type SignedRelease = {
  readonly release: Buffer
  /** The detached signature; undefined for InRelease. */
  readonly signature: Buffer | undefined
  /** Validators for a conditional request. */
  readonly validators: Validators
}

const cachedReleaseHeadSchema = v.object({
  ...validatorsSchema.entries,
  releaseBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  hasSignature: v.boolean(),
})

/** Returns the path of the cached Release of a suite. */
function cachedReleasePath({cache}: Pick<Paths, 'cache'>, place: SuitePlace): string {
  return join(cache, 'archive', 'releases', keyOf(place))
}

/** Caches a verified Release; if that fails, the next command fetches it again. */
function cacheRelease(path: string, {release, signature, validators}: SignedRelease): Promise<void> {
  const facts = {...validators, releaseBytes: release.length, hasSignature: signature !== undefined}
  return keepBody(path, facts, Buffer.concat([release, signature ?? Buffer.alloc(0)]))
}

/** Reads the cached Release, which must be verified again; undefined if it is missing or unreadable. */
function readCachedRelease(path: string): SignedRelease | undefined {
  const kept = readBody(path, cachedReleaseHeadSchema)
  if (kept === undefined) return undefined
  const {releaseBytes, hasSignature, ...validators} = kept.facts
  return {
    release: kept.body.subarray(0, releaseBytes),
    signature: hasSignature ? kept.body.subarray(releaseBytes) : undefined,
    validators,
  }
}
