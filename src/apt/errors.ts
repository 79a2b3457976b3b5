import {defineError, EnvsError, ExitCode, errnoOf, wordsForErrno} from '../errors.js'
import type {NetworkError} from '../host/http/errors.js'

/** A suite at a mirror, as errors name it: the mirror without a password. */
export type SuitePlace = {readonly suite: string; readonly mirror: string}

const OTHER_MIRROR =
  'Use another mirror, in the setting mirrors.ubuntuArchive, or for Debian mirrors.debianArchive and mirrors.debianSecurity: envs config set SETTING URL'
const IN_UPDATE = 'Run the command again in some minutes: the mirror may be in the middle of an update.'

/** There is a Release without a signature. */
export const unsignedReleaseError = defineError('ENVS_RELEASE_UNSIGNED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is not signed: there is neither InRelease nor Release.gpg.',
  nextStep: OTHER_MIRROR,
})

/** A field of a signed Release is missing or malformed. */
export const malformedReleaseError = defineError('ENVS_RELEASE_MALFORMED', ExitCode.integrity, {
  message: 'Could not use the Release of {suite} at {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/** The Release is signed, but for another suite, which may lack fixes. */
export const wrongSuiteError = defineError('ENVS_RELEASE_WRONG_SUITE', ExitCode.integrity, {
  message: '{mirror} serves the Release of {served} as that of {suite}.',
  nextStep: OTHER_MIRROR,
})

/** The Release has expired: a mirror may withhold newer packages. */
export const expiredReleaseError = defineError('ENVS_RELEASE_EXPIRED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} expired on {validUntil}.',
  nextStep: [
    OTHER_MIRROR,
    'If the mirror is a snapshot that never changes, accept its expired Release: --allow-expired',
    'Check the clock of this host.',
  ],
})

/** The Release is older than one seen before at this mirror. */
export const downgradedReleaseError = defineError('ENVS_RELEASE_DOWNGRADED', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is dated {date}, older than the one of {newest} seen before.',
  nextStep: [
    'Run the command again in some minutes: one of the servers of a mirror may be behind the others.',
    OTHER_MIRROR,
    'If the mirror was set back on purpose, remove {record}',
  ],
})

/** The pocket was there before: an attacker may withhold its updates. */
export const withdrawnPocketError = defineError('ENVS_POCKET_WITHDRAWN', ExitCode.integrity, {
  message: '{mirror} no longer has a Release of {suite}: it had one of {newest} before.',
  nextStep: [IN_UPDATE, OTHER_MIRROR, 'If the mirror dropped the suite on purpose, remove {record}'],
})

/** A supported release has no security pocket: packages with known vulnerabilities would be installed. */
export const missingSecurityError = defineError('ENVS_POCKET_MISSING', ExitCode.integrity, {
  message: 'No mirror has the security updates of {suite}: {mirrors} answered that there are none.',
  nextStep: [OTHER_MIRROR, 'If the mirror has none on purpose, continue without them: --allow-expired'],
})

/** The clock of the host or of the publisher is wrong. */
export const futureReleaseError = defineError('ENVS_RELEASE_FROM_FUTURE', ExitCode.integrity, {
  message: 'The Release of {suite} at {mirror} is dated {date}; the clock of this host says {now}.',
  nextStep: ['Set the clock of this host, then run the command again.', OTHER_MIRROR],
})

/** The index differs from the digest in the Release. */
export const indexMismatchError = defineError('ENVS_INDEX_MISMATCH', ExitCode.integrity, {
  message: '{file} of {suite} at {mirror} is not the file that its Release lists.',
  nextStep: [IN_UPDATE, OTHER_MIRROR],
})

export class MissingIndexError extends EnvsError {}

/** The mirror lacks an index, or the Release does not list one. */
export const missingIndexError = defineError(
  'ENVS_INDEX_MISSING',
  ExitCode.integrity,
  {message: '{mirror} does not have {file} of {suite}.', nextStep: OTHER_MIRROR},
  MissingIndexError,
)

/** An index with the right digest is malformed. */
export const malformedIndexError = defineError('ENVS_INDEX_MALFORMED', ExitCode.integrity, {
  message: 'Could not use the index of {suite} at {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/** @public A mirror, or the network, failed. `what` is `trixie-security`, or `the package apt`. */
export const aptUnreachableError = defineError('ENVS_ARCHIVE_UNREACHABLE', ExitCode.network, {
  message: 'Could not download {what} from {mirror}: {reason}.',
  nextStep: OTHER_MIRROR,
})

/**
 * Returns the error for an unreachable mirror.
 *
 * @param what - `trixie-security`, or `the package apt`. @param mirror - A URL without a password.
 */
export function archiveUnreachableError(what: string, mirror: string, failure: NetworkError): EnvsError {
  const {reason, suggestions} = failure
  return aptUnreachableError({what, mirror, reason}, {hints: suggestions, cause: failure})
}

/** No mirror has the suite. */
export const suiteNotFoundError = defineError('ENVS_SUITE_NOT_FOUND', ExitCode.notFound, {
  message: 'No mirror has the suite {suite}: there is no Release of it at {mirrors}.',
  nextStep: OTHER_MIRROR,
})

export class NotInSuiteError extends EnvsError {}

/** The suite exists, but not for this architecture, or without this component. */
export const notInSuiteError = defineError(
  'ENVS_NOT_IN_SUITE',
  ExitCode.notFound,
  {message: '{suite} at {mirror} has no {what}: it has {offered}.', nextStep: OTHER_MIRROR},
  NotInSuiteError,
)

const OTHER_COMPONENTS =
  'If another component of {suite} has it, name that component too: --components {components},COMPONENT'

/** @public A requested package is not in the repository. */
export const packageNotFoundKind = defineError('ENVS_PACKAGE_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no package "{name}" in {components} of {suite}.',
  nextStep: OTHER_COMPONENTS,
})

/** @public No package of the repository satisfies a dependency. */
export const unmetDependencyKind = defineError('ENVS_UNMET_DEPENDENCY', ExitCode.notFound, {
  message: 'The package "{name}" depends on {wanted}, which {components} of {suite} does not have.',
  nextStep: OTHER_COMPONENTS,
})

/** The components that were read lack a package; another component may have it. */
export class NotInComponentsError extends EnvsError {
  /** @param wanted - Names of packages, one of which suffices. */
  constructor(
    readonly wanted: readonly string[],
    parts: ReturnType<typeof packageNotFoundKind.parts>,
  ) {
    super(...parts)
  }
}

/** A package differs from the digest in the index. */
export const packageMismatchError = defineError('ENVS_PACKAGE_MISMATCH', ExitCode.integrity, {
  message: '{url} is not the package {name} that the signed index lists.',
  nextStep: OTHER_MIRROR,
})

/** The index lists a package that the mirror does not have. */
export const packageMissingError = defineError('ENVS_PACKAGE_MISSING', ExitCode.network, {
  message: 'The package {name} is not at {url}, where the signed index lists it.',
  nextStep: [IN_UPDATE, OTHER_MIRROR],
})

/** @public Packages cannot be stored on this disk. */
export const archiveStorageError = defineError('ENVS_ARCHIVE_STORAGE', ExitCode.storage, {
  message: 'Could not write "{path}": {reason}.',
  nextStep: 'Free some space: envs prune',
})

/** Returns the storage error for a failed system call; any other error is returned unchanged. */
export function storageError(path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || error instanceof EnvsError) return error
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  return archiveStorageError(
    {path, reason: wordsForErrno(errno)},
    {cause: error, ...(isFull ? {} : {suggestions: []})},
  )
}
