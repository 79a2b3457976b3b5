import {EnvsError, ExitCode} from '../errors.js'

/** The archive is damaged, truncated, or followed by other data. */
export class CorruptArchiveError extends EnvsError {
  constructor(problem: string, cause?: unknown) {
    super(`The archive is damaged: ${problem}.`, {
      code: 'ENVS_ARCHIVE_CORRUPT',
      exitCode: ExitCode.integrity,
      suggestions: ['Fetch the archive again and compare its SHA-256 digest with the published one.'],
      cause,
    })
  }
}

/** The first bytes belong to no format that envs reads. */
export class UnknownArchiveError extends EnvsError {
  constructor() {
    super('The file is not a tar archive, plain or compressed with gzip, xz, zstd or bzip2.', {
      code: 'ENVS_ARCHIVE_UNKNOWN',
      exitCode: ExitCode.integrity,
      suggestions: ['Give the rootfs as a tar archive.'],
    })
  }
}

/** Neither this Node nor this host can read the compression of the archive. */
export class ToolMissingError extends EnvsError {
  constructor(program: string, hostPackage: string, purpose: string) {
    super(`${program}(1) is needed ${purpose} and was not found on this host.`, {
      code: 'ENVS_TOOL_MISSING',
      exitCode: ExitCode.host,
      suggestions: [`Ask for the package ${hostPackage} to be installed: it holds ${program}.`],
    })
  }
}

/** A signal ended a host program, so its result is unknown. */
export class ToolKilledError extends EnvsError {
  constructor(program: string, signal: string) {
    super(`${program}(1) was ended by ${signal} before it was done.`, {
      code: 'ENVS_TOOL_KILLED',
      exitCode: ExitCode.host,
    })
  }
}
