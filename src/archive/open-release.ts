import {sha256Of} from '../host/digest.js'
import {NetworkError} from '../host/http/errors.js'
import {pinnedKeys, type TrustedKey, trustedKeys} from '../signature/keyring.js'
import type {ArchiveContext} from './context.js'
import {downgradedReleaseError} from './errors.js'
import {fetchRelease, type VerifiedRelease, verifyRelease} from './fetch-release.js'
import {type Place, urlInSuite} from './place.js'
import type {ArchiveRelease, UsedPocket} from './plan.js'
import type {Pocket} from './pockets.js'
import {checkRelease} from './release-checks.js'
import {parseReleaseFile, type ReleaseFile} from './release-file.js'
import {newestSeen, rememberSeen, seenFolder} from './seen-dates.js'
import {keepRelease, keptReleasePath, readKeptRelease} from './signed-release.js'

/** A pocket's Release that was verified, and is what was asked for. */
export type OpenedRelease = {
  readonly place: Place
  readonly file: ReleaseFile
  readonly used: Omit<UsedPocket, 'components'>
}

type Asked = {readonly pocket: Pocket; readonly release: ArchiveRelease}

/**
 * Opens a pocket at one mirror: its Release is signed by the pocket's keys, is the one of this pocket, still holds, and is
 * not older than what was seen there before.
 *
 * Where the mirror can't be reached, what was verified earlier does as long as it holds.
 *
 * @returns undefined when the mirror says that there is none.
 * @throws {EnvsError} With exit code 6 for what is not to be trusted.
 * @throws {NetworkError} @throws {ArchiveStorageError}
 */
export async function openRelease(
  place: Place,
  asked: Asked,
  context: ArchiveContext,
): Promise<OpenedRelease | undefined> {
  const keys = await keysFor(place, asked, context)
  const path = keptReleasePath(context.paths, place)
  const kept = readKeptRelease(path)
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
    // A cache on the way, or one server of several, may be behind.
    if (await isOlder(seen, opened.file)) opened = (await fetchAndOpen(true)) ?? opened
    await refuseOlder(seen, opened.file, place)
    await rememberSeen(seen, opened.file.date)
    await keepRelease(path, opened.served)
    return describe(place, asked.pocket, opened, context)
  } catch (error) {
    if (!(error instanceof NetworkError) || kept === undefined) throw error
    const opened = await open(await verifyRelease(place, kept, {keys}, context))
    await refuseOlder(seen, opened.file, place)
    const {suite, mirror} = place
    const {date} = opened.file
    context.onNotice?.({kind: 'release-from-cache', suite, mirror, date, reason: error.reason})
    return describe(place, asked.pocket, opened, context)
  }
}

/** Releases that moved may be signed by keys that Debian has withdrawn since. */
async function keysFor(
  place: Place,
  {pocket: {kind}, release}: Asked,
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

async function refuseOlder(seen: string, {date}: ReleaseFile, place: Place): Promise<void> {
  const newest = await newestSeen(seen)
  if (newest !== undefined && date < newest) {
    throw downgradedReleaseError({...place, date, newest, record: seen})
  }
}

function describe(
  place: Place,
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
      inReleaseSha256: sha256Of(served.release),
      date: file.date,
      validUntil: file.validUntil,
      signer,
    },
  }
}
