import type {DebArchitecture} from '../host/arch.js'
import {NetworkError} from '../host/http/errors.js'
import {type ArchiveContext, type ArchiveRelease, type Place, placeOf, type UsedPocket} from './context.js'
import {
  archiveUnreachableError,
  MissingIndexError,
  malformedIndexError,
  missingSecurityError,
  NotInSuiteError,
  suiteNotFoundError,
  withdrawnPocketError,
} from './errors.js'
import {chooseIndices, fetchIndex, keepIndex, keptIndexPath, readKeptIndex} from './index-file.js'
import type {PlacedPocket} from './mirrors.js'
import {openPackageIndex, type PackageIndex} from './package-index.js'
import {type OpenedRelease, openRelease} from './release.js'
import {newestSeen, seenFolder} from './release-file.js'

/** A pocket whose packages can be looked up. */
export type OpenedPocket = {
  readonly used: UsedPocket
  readonly place: Place
  readonly indices: readonly PackageIndex[]
}

export type PocketRequest = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly components: readonly string[]
  readonly context: ArchiveContext
  /** Told anew of each index whenever there is more of it. */
  readonly onIndex: (key: string, bytes: {receivedBytes: number; totalBytes: number}) => void
}

/** What says that one mirror lacks something that another may have. */
const isLacking = (error: unknown): error is MissingIndexError | NotInSuiteError =>
  error instanceof MissingIndexError || error instanceof NotInSuiteError

/**
 * Opens a pocket at the first of its mirrors that has it.
 *
 * @returns undefined where it need not be there and is not: all mirrors that could be asked said so, one at least.
 * @throws {@link suiteNotFoundError} @throws {@link withdrawnPocketError} @throws {@link missingSecurityError} @throws {@link archiveUnreachableError}
 * @throws {EnvsError} As `openRelease`, `chooseIndices` and `fetchIndex`.
 */
export async function openPocket(
  pocket: PlacedPocket,
  request: PocketRequest,
): Promise<OpenedPocket | undefined> {
  const {context, release} = request
  const mayBeMissing = pocket.isOptional && (pocket.name !== 'security' || mayLackSecurity(request))
  let lacking: MissingIndexError | NotInSuiteError | undefined
  const missing: Place[] = []
  for (const mirror of pocket.mirrors) {
    const place = placeOf(mirror, pocket.suite)
    try {
      const opened = await openRelease(place, {pocket, release}, context)
      if (opened !== undefined) return await openIndices(opened, request)
      missing.push(place)
    } catch (error) {
      // The publisher may be out of reach where a mirror is all there is.
      if (error instanceof NetworkError && missing.length > 0 && mayBeMissing) break
      if (error instanceof NetworkError) throw archiveUnreachableError(place.suite, place.mirror, error)
      if (!isLacking(error)) throw error
      lacking ??= error
    }
  }
  // Its signed Release says that it has nothing of the kind.
  const isEmpty = lacking instanceof NotInSuiteError && pocket.isOptional
  if (lacking !== undefined && !isEmpty) throw lacking
  if (!pocket.isOptional) throw suiteNotFoundError({suite: pocket.suite, mirrors: pocket.mirrors.map(shown)})
  // Publishers drop pockets when a release moves.
  if (!isEmpty && !release.hasMoved) await refuseWithdrawn(missing, context)
  if (!isEmpty && !mayBeMissing)
    throw missingSecurityError({suite: pocket.suite, mirrors: pocket.mirrors.map(shown)})
  context.onNotice?.({kind: 'pocket-missing', suite: pocket.suite, mirror: shown(pocket.mirrors[0] ?? '')})
  return undefined
}

/**
 * Publishers make the pocket for security with the release itself: 404 is the word of a mirror, or of anybody on the way to
 * it, that would keep its updates back.
 */
function mayLackSecurity({release, context}: PocketRequest): boolean {
  return release.hasMoved || context.allowExpired === true
}

/** A mirror that had the pocket does not lose it: updates for security would be missing, and nobody would wonder. */
async function refuseWithdrawn(missing: readonly Place[], {paths}: ArchiveContext): Promise<void> {
  for (const place of missing) {
    const record = seenFolder(paths, place)
    const newest = await newestSeen(record)
    if (newest !== undefined) throw withdrawnPocketError({...place, newest, record})
  }
}

function shown(mirror: string): string {
  return placeOf(mirror, '').mirror
}

async function openIndices(opened: OpenedRelease, request: PocketRequest): Promise<OpenedPocket> {
  const {architecture, components, context} = request
  const hasXz = context.which('xz') !== undefined
  const listed = chooseIndices(opened, {architecture, components, hasXz})
  const {place} = opened
  const indices = await Promise.all(
    listed.map(async (each) => {
      const path = keptIndexPath(context.paths, place, each)
      const report = (receivedBytes: number) =>
        request.onIndex(path, {receivedBytes, totalBytes: each.sizeBytes})
      const kept = await readKeptIndex(path)
      report(kept === undefined ? 0 : each.sizeBytes)
      if (kept !== undefined) return kept
      const file = await fetchIndex(place, each, {context, onBytes: report})
      const index = openPackageIndex(file)
      if (index === undefined) throw malformedIndexError({...place, reason: 'it is not an index of packages'})
      await keepIndex(path, file)
      return index
    }),
  )
  return {used: {...opened.used, components}, place, indices}
}
