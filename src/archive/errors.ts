import {EnvsError, type ErrorCode, ExitCode, errnoOf} from '../errors.js'
import type {NetworkError} from '../host/http/errors.js'

/** A suite at a mirror, as errors name it: the mirror without a password. */
export type SuitePlace = {readonly suite: string; readonly mirror: string}

const OTHER_MIRROR =
  'Name another mirror in the setting mirrors.debianArchive, mirrors.debianSecurity or mirrors.ubuntuArchive.'

/** What a mirror serves is not to be used. */
abstract class UntrustedArchiveError extends EnvsError {
  constructor(
    message: string,
    {code, suggestions = [OTHER_MIRROR], cause}: {code: ErrorCode; suggestions?: string[]; cause?: unknown},
  ) {
    super(message, {code, exitCode: ExitCode.integrity, suggestions, cause})
  }
}

/** There is a Release, and nobody signed it. */
export class UnsignedReleaseError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace) {
    super(`The Release of ${suite} at ${mirror} is not signed: there is neither InRelease nor Release.gpg.`, {
      code: 'ENVS_RELEASE_UNSIGNED',
    })
  }
}

/** A field of a signed Release is missing or can't be read. */
export class MalformedReleaseError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, reason: string) {
    super(`The Release of ${suite} at ${mirror} can't be used: ${reason}.`, {code: 'ENVS_RELEASE_MALFORMED'})
  }
}

/** It is signed, but for another suite: one that lacks fixes, perhaps. */
export class WrongSuiteError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, served: string) {
    super(`${mirror} serves the Release of ${served} as that of ${suite}.`, {
      code: 'ENVS_RELEASE_WRONG_SUITE',
    })
  }
}

/** Its publisher said until when it is good, and that is over: newer packages are held back, perhaps. */
export class ExpiredReleaseError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, validUntil: Date) {
    super(`The Release of ${suite} at ${mirror} was good until ${validUntil.toISOString()}.`, {
      code: 'ENVS_RELEASE_EXPIRED',
      suggestions: [
        OTHER_MIRROR,
        'If the mirror is meant to stand still, --allow-expired takes it as it is.',
        'Is the clock of this machine right?',
      ],
    })
  }
}

/** It is older than one that was seen there. */
export class DowngradedReleaseError extends UntrustedArchiveError {
  constructor(
    {suite, mirror}: SuitePlace,
    {date, newest, record}: {date: Date; newest: Date; record: string},
  ) {
    super(
      `The Release of ${suite} at ${mirror} is of ${date.toISOString()}; one of ${newest.toISOString()} was there before.`,
      {
        code: 'ENVS_RELEASE_DOWNGRADED',
        suggestions: [
          'Run the command again in some minutes: one of the servers of a mirror may be behind the others.',
          OTHER_MIRROR,
          `If the mirror was set back on purpose, remove ${record}`,
        ],
      },
    )
  }
}

/** It was there once: somebody on the way may hold its updates back. */
export class WithdrawnPocketError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, {newest, record}: {newest: Date; record: string}) {
    super(`${mirror} has no Release of ${suite} any more; one of ${newest.toISOString()} was there before.`, {
      code: 'ENVS_POCKET_WITHDRAWN',
      suggestions: [
        'Run the command again in some minutes: it may be in the middle of an update.',
        OTHER_MIRROR,
        `If the mirror gave it up on purpose, remove ${record}`,
      ],
    })
  }
}

/** Of a release that is still looked after; packages would be installed whose holes are known. */
export class MissingSecurityError extends UntrustedArchiveError {
  constructor(suite: string, mirrors: readonly string[]) {
    super(
      `No mirror has the security updates of ${suite}: ${mirrors.join(', ')} answered that there are none.`,
      {
        code: 'ENVS_POCKET_MISSING',
        suggestions: [OTHER_MIRROR, 'If the mirror has none on purpose, --allow-expired takes it as it is.'],
      },
    )
  }
}

/** One of the clocks can't be right. */
export class FutureReleaseError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, {date, now}: {date: Date; now: Date}) {
    super(
      `The Release of ${suite} at ${mirror} is of ${date.toISOString()}; the clock here says ${now.toISOString()}.`,
      {
        code: 'ENVS_RELEASE_FROM_FUTURE',
        suggestions: ['Have the clock of this machine set, then run the command again.', OTHER_MIRROR],
      },
    )
  }
}

/** The bytes of an index are not those that the Release lists. */
export class IndexMismatchError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, file: string, cause: unknown) {
    super(`${file} of ${suite} at ${mirror} is not the file that its Release lists.`, {
      code: 'ENVS_INDEX_MISMATCH',
      suggestions: [
        'Run the command again in some minutes: it may be in the middle of an update.',
        OTHER_MIRROR,
      ],
      cause,
    })
  }
}

/** The Release lists an index that the mirror does not have, or lists none. */
export class MissingIndexError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, file: string) {
    super(`${mirror} does not have ${file} of ${suite}.`, {code: 'ENVS_INDEX_MISSING'})
  }
}

/** An index that has the right digest does not hold what one must. */
export class MalformedIndexError extends UntrustedArchiveError {
  constructor({suite, mirror}: SuitePlace, reason: string, cause?: unknown) {
    super(`The index of ${suite} at ${mirror} can't be used: ${reason}.`, {
      code: 'ENVS_INDEX_MALFORMED',
      cause,
    })
  }
}

/** A mirror, or the way to it, failed. */
export class ArchiveUnreachableError extends EnvsError {
  /** @param what - `trixie-security`, or `the package apt`. @param where - A URL without a password. */
  constructor(what: string, where: string, failure: NetworkError) {
    super(`${what} can't be had from ${where}: ${failure.reason}.`, {
      code: 'ENVS_ARCHIVE_UNREACHABLE',
      exitCode: ExitCode.network,
      suggestions: [...failure.suggestions, OTHER_MIRROR],
      cause: failure,
    })
  }
}

/** No mirror has the suite. */
export class SuiteNotFoundError extends EnvsError {
  constructor(suite: string, mirrors: readonly string[]) {
    super(`There is no Release of ${suite} at ${mirrors.join(', nor at ')}.`, {
      code: 'ENVS_SUITE_NOT_FOUND',
      exitCode: ExitCode.notFound,
      suggestions: [OTHER_MIRROR],
    })
  }
}

/** The suite is there, but not for this architecture, or without this component. */
export class NotInSuiteError extends EnvsError {
  constructor({suite, mirror}: SuitePlace, {what, offered}: {what: string; offered: readonly string[]}) {
    super(`${suite} at ${mirror} has no ${what}; it has ${offered.join(', ')}.`, {
      code: 'ENVS_NOT_IN_SUITE',
      exitCode: ExitCode.notFound,
      suggestions: [],
    })
  }
}

/** A package that was asked for is not in the archive. */
export class PackageNotFoundError extends EnvsError {
  constructor(
    name: string,
    {suite, components, near}: {suite: string; components: readonly string[]; near: readonly string[]},
  ) {
    super(`${suite} has no package ${name} in ${components.join(', ')}.`, {
      code: 'ENVS_PACKAGE_NOT_FOUND',
      exitCode: ExitCode.notFound,
      suggestions: [
        ...(near.length === 0 ? [] : [`Did you mean ${near.join(' or ')}?`]),
        'Other components are read where they are named: --components main,contrib',
      ],
    })
  }
}

/** A package depends on what no package of the archive is or provides. */
export class UnmetDependencyError extends EnvsError {
  constructor(name: string, {wanted, suite}: {wanted: string; suite: string}) {
    super(`${name} of ${suite} depends on ${wanted}, which is not to be had there.`, {
      code: 'ENVS_UNMET_DEPENDENCY',
      exitCode: ExitCode.notFound,
      suggestions: ['Other components are read where they are named: --components main,contrib'],
    })
  }
}

/** A package of the mirror is not the one that the index lists. */
export class PackageMismatchError extends UntrustedArchiveError {
  constructor(name: string, {url, cause}: {url: string; cause: unknown}) {
    super(`${url} is not the package ${name} that the signed index lists.`, {
      code: 'ENVS_PACKAGE_MISMATCH',
      suggestions: [OTHER_MIRROR],
      cause,
    })
  }
}

/** The index lists a package that the mirror does not have. */
export class PackageMissingError extends EnvsError {
  constructor(name: string, url: string) {
    super(`The package ${name} is not at ${url}, where the signed index has it.`, {
      code: 'ENVS_PACKAGE_MISSING',
      exitCode: ExitCode.network,
      suggestions: [
        'Run the command again in some minutes: it may be in the middle of an update.',
        OTHER_MIRROR,
      ],
    })
  }
}

/** Packages can't be kept on this disk. */
export class ArchiveStorageError extends EnvsError {
  constructor(path: string, errno: string, cause: unknown) {
    super(`${path} could not be written: ${errno}.`, {
      code: 'ENVS_ARCHIVE_STORAGE',
      exitCode: ExitCode.storage,
      suggestions: errno === 'ENOSPC' || errno === 'EDQUOT' ? ['Make room: envs prune'] : [],
      cause,
    })
  }
}

/** What a failed call on a file means to the user; what is none, or is told already, stays as it is. */
export function storageError(path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  return errno === undefined ? error : new ArchiveStorageError(path, errno, error)
}
