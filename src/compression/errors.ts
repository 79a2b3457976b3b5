import {defineError, EnvsError, ExitCode} from '../errors.js'

export class CorruptArchiveError extends EnvsError {}

/** The archive is damaged, truncated, or followed by other data. */
export const corruptArchiveError = defineError(
  'ENVS_ARCHIVE_CORRUPT',
  ExitCode.integrity,
  {
    message: 'The archive is damaged: {problem}.',
    nextStep: 'Fetch the archive again and compare its SHA-256 digest with the published one.',
  },
  CorruptArchiveError,
)

export class UnknownArchiveError extends EnvsError {}

/** The first bytes belong to no format that envs reads. */
export const unknownArchiveError = defineError(
  'ENVS_ARCHIVE_UNKNOWN',
  ExitCode.integrity,
  {
    message: 'The file is not a tar archive, plain or compressed with gzip, xz, zstd or bzip2.',
    nextStep: 'Give a root file system as a tar archive.',
  },
  UnknownArchiveError,
)

/** Neither this Node.js nor this host has a program of the archive's format. */
export const archiveToolMissingError = defineError('ENVS_TOOL_MISSING', ExitCode.host, {
  message: '{program}(1) was not found on this host: it is needed {purpose}.',
  nextStep: 'Ask an administrator to install the package {hostPackage}, which holds {program}.',
})

/** A signal ended a host program, so its result is unknown. */
export const toolKilledError = defineError('ENVS_TOOL_KILLED', ExitCode.host, {
  message: '{program}(1) did not finish: {signal} ended it.',
  nextStep: 'See whether the host ran out of memory, then run the command again.',
})
