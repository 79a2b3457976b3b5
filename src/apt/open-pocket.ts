import {NetworkError} from '../host/http/errors.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {
  type ArchiveContext,
  type ArchiveRelease,
  type MirrorSuite,
  placeOf,
  type UsedPocket,
} from './context.js'
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

/** A pocket with its package indices. */
export type OpenedPocket = {
  readonly used: UsedPocket
  readonly place: MirrorSuite
  readonly indices: readonly PackageIndex[]
}

export type PocketRequest = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly components: readonly string[]
  readonly context: ArchiveContext
  /** Called whenever more bytes of an index are received. */
  readonly onIndex: (key: string, bytes: {receivedBytes: number; totalBytes: number}) => void
}

/** Returns whether the error means that this mirror lacks a file that another mirror may have. */
const lacksFiles = (error: unknown): error is MissingIndexError | NotInSuiteError =>
  error instanceof MissingIndexError || error instanceof NotInSuiteError

/**
 * Opens a pocket at the first of its mirrors that has it.
 *
 * @returns undefined if the pocket is optional and all reachable mirrors, at least one, answered that they do not
 * have it.
 * @throws {@link suiteNotFoundError}
 * @throws {@link withdrawnPocketError} @throws {@link missingSecurityError} @throws {@link
 * archiveUnreachableError} @throws {EnvsError} As `openRelease`, `chooseIndices` and `fetchIndex`.
 */
export async function openPocket(
  pocket: PlacedPocket,
  request: PocketRequest,
): Promise<OpenedPocket | undefined> {
  const {context, release} = request
  const mayBeMissing = pocket.isOptional && (pocket.name !== 'security' || mayLackSecurity(request))
  let missingFiles: MissingIndexError | NotInSuiteError | undefined
  const missing: MirrorSuite[] = []
  for (const mirror of pocket.mirrors) {
    const place = placeOf(mirror, pocket.suite)
    try {
      const opened = await openRelease(place, {pocket, release}, context)
      if (opened !== undefined) return await openIndices(opened, request)
      missing.push(place)
    } catch (error) {
      // On some networks only a local mirror is reachable.
      if (error instanceof NetworkError && missing.length > 0 && mayBeMissing) break
      if (error instanceof NetworkError) throw archiveUnreachableError(place.suite, place.mirror, error)
      if (!lacksFiles(error)) throw error
      missingFiles ??= error
    }
  }
  // The signed Release says that the pocket has no such packages.
  const isEmpty = missingFiles instanceof NotInSuiteError && pocket.isOptional
  if (missingFiles !== undefined && !isEmpty) throw missingFiles
  if (!pocket.isOptional)
    throw suiteNotFoundError({suite: pocket.suite, mirrors: pocket.mirrors.map(redactMirror)})
  // Publishers drop pockets when a release is moved.
  if (!isEmpty && !release.hasMoved) await refuseWithdrawnPocket(missing, context)
  if (!isEmpty && !mayBeMissing)
    throw missingSecurityError({suite: pocket.suite, mirrors: pocket.mirrors.map(redactMirror)})
  context.onNotice?.({
    kind: 'pocket-missing',
    suite: pocket.suite,
    mirror: redactMirror(pocket.mirrors[0] ?? ''),
  })
  return undefined
}

/**
 * Returns whether the security pocket may be missing. Publishers create it with the release: a 404 may come from
 * an attacker who withholds updates.
 */
function mayLackSecurity({release, context}: PocketRequest): boolean {
  return release.hasMoved || context.allowExpired === true
}

/** Refuses a mirror that had the pocket before: security updates would be missing unnoticed. */
async function refuseWithdrawnPocket(
  missing: readonly MirrorSuite[],
  {paths}: ArchiveContext,
): Promise<void> {
  for (const place of missing) {
    const record = seenFolder(paths, place)
    const newest = await newestSeen(record)
    if (newest !== undefined) throw withdrawnPocketError({...place, newest, record})
  }
}

function redactMirror(mirror: string): string {
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
