import {defineError, EnvsError, ExitCode, errnoOf} from '../errors.js'
import type {NetworkError} from '../host/http/errors.js'

/** A suite at a mirror, as errors name it: the mirror without a password. */
export type SuitePlace = {readonly suite: string; readonly mirror: string}

const OTHER_MIRROR =
  'Name another mirror in the setting mirrors.debianArchive, mirrors.debianSecurity or mirrors.ubuntuArchive.'
const IN_UPDATE = 'Run the command again in some minutes: the mirror may be in the middle of an update.'
const COMPONENTS = 'To read other components, name them: --components main,contrib'

/** There is a Release, and nobody signed it. */
export const unsignedReleaseError = defineError('ENVS_RELEASE_UNSIGNED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is not signed: there is neither InRelease nor Release.gpg.',
  nextStep: OTHER_MIRROR,
})

/** A field of a signed Release is missing or can't be read. */
export const malformedReleaseError = defineError('ENVS_RELEASE_MALFORMED', ExitCode.integrity, {
  message: 'Could not use the Release of {suite} at {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/** It is signed, but for another suite: one that lacks fixes, perhaps. */
export const wrongSuiteError = defineError('ENVS_RELEASE_WRONG_SUITE', ExitCode.integrity, {
  message: '{mirror} serves the Release of {served} as that of {suite}.',
  nextStep: OTHER_MIRROR,
})

/** Its publisher said until when it is good, and that is over: newer packages are held back, perhaps. */
export const expiredReleaseError = defineError('ENVS_RELEASE_EXPIRED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} expired on {validUntil}.',
  nextStep: [
    OTHER_MIRROR,
    'If the mirror is a snapshot that never changes, accept its expired Release: --allow-expired',
    'See whether the clock of this host is right.',
  ],
})

/** It is older than one that was seen there. */
export const downgradedReleaseError = defineError('ENVS_RELEASE_DOWNGRADED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is dated {date}, older than the one of {newest} seen before.',
  nextStep: [
    'Run the command again in some minutes: one of the servers of a mirror may be behind the others.',
    OTHER_MIRROR,
    'If the mirror was set back on purpose, remove {record}',
  ],
})

/** It was there once: somebody on the way may hold its updates back. */
export const withdrawnPocketError = defineError('ENVS_POCKET_WITHDRAWN', ExitCode.integrity, {
  message: '{mirror} no longer has a Release of {suite}: it had one of {newest} before.',
  nextStep: [IN_UPDATE, OTHER_MIRROR, 'If the mirror dropped the suite on purpose, remove {record}'],
})

/** Of a release that is still looked after; packages would be installed whose holes are known. */
export const missingSecurityError = defineError('ENVS_POCKET_MISSING', ExitCode.integrity, {
  message: 'No mirror has the security updates of {suite}: {mirrors} answered that there are none.',
  nextStep: [OTHER_MIRROR, 'If the mirror has none on purpose, go on without them: --allow-expired'],
})

/** One of the clocks can't be right. */
export const futureReleaseError = defineError('ENVS_RELEASE_FROM_FUTURE', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is dated {date}; the clock of this host says {now}.',
  nextStep: ['Set the clock of this host, then run the command again.', OTHER_MIRROR],
})

/** The bytes of an index are not those that the Release lists. */
export const indexMismatchError = defineError('ENVS_INDEX_MISMATCH', ExitCode.integrity, {
  message: '{file} of {suite} at {mirror} is not the file that its Release lists.',
  nextStep: [IN_UPDATE, OTHER_MIRROR],
})

export class MissingIndexError extends EnvsError {}

/** The Release lists an index that the mirror does not have, or lists none. */
export const missingIndexError = defineError(
  'ENVS_INDEX_MISSING',
  ExitCode.integrity,
  {message: '{mirror} does not have {file} of {suite}.', nextStep: OTHER_MIRROR},
  MissingIndexError,
)

/** An index that has the right digest does not hold what one must. */
export const malformedIndexError = defineError('ENVS_INDEX_MALFORMED', ExitCode.integrity, {
  message: 'Could not use the index of {suite} at {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/** @public A mirror, or the way to it, failed. `what` is `trixie-security`, or `the package apt`. */
export const aptUnreachableError = defineError('ENVS_ARCHIVE_UNREACHABLE', ExitCode.network, {
  message: 'Could not download {what} from {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/** @param what - `trixie-security`, or `the package apt`. @param mirror - A URL without a password. */
export function archiveUnreachableError(what: string, mirror: string, failure: NetworkError): EnvsError {
  const {reason, suggestions} = failure
  return aptUnreachableError({what, mirror, reason}, {hints: suggestions, cause: failure})
}

/** No mirror has the suite. */
export const suiteNotFoundError = defineError('ENVS_SUITE_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no Release of {suite} at {mirrors}.',
  nextStep: OTHER_MIRROR,
})

export class NotInSuiteError extends EnvsError {}

/** The suite is there, but not for this architecture, or without this component. */
export const notInSuiteError = defineError(
  'ENVS_NOT_IN_SUITE',
  ExitCode.notFound,
  {message: '{suite} at {mirror} has no {what}: it has {offered}.', nextStep: OTHER_MIRROR},
  NotInSuiteError,
)

/** A package that was asked for is not in the archive. */
export const packageNotFoundError = defineError('ENVS_PACKAGE_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no package "{name}" in {components} of {suite}.',
  nextStep: COMPONENTS,
})

/** A package depends on what no package of the archive is or provides. */
export const unmetDependencyError = defineError('ENVS_UNMET_DEPENDENCY', ExitCode.notFound, {
  message: 'The package "{name}" of {suite} depends on {wanted}, which {suite} does not have.',
  nextStep: COMPONENTS,
})

/** A package of the mirror is not the one that the index lists. */
export const packageMismatchError = defineError('ENVS_PACKAGE_MISMATCH', ExitCode.integrity, {
  message: '{url} is not the package {name} that the signed index lists.',
  nextStep: OTHER_MIRROR,
})

/** The index lists a package that the mirror does not have. */
export const packageMissingError = defineError('ENVS_PACKAGE_MISSING', ExitCode.network, {
  message: 'The package {name} is not at {url}, where the signed index lists it.',
  nextStep: [IN_UPDATE, OTHER_MIRROR],
})

/** @public Packages can't be kept on this disk. */
export const archiveStorageError = defineError('ENVS_ARCHIVE_STORAGE', ExitCode.storage, {
  message: 'Could not write "{path}": {errno}.',
  nextStep: 'Free some space: envs prune',
})

/** What a failed call on a file means to the user; what is none, or is told already, stays as it is. */
export function storageError(path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || error instanceof EnvsError) return error
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  return archiveStorageError({path, errno}, {cause: error, ...(isFull ? {} : {suggestions: []})})
}
