import {EnvsError, ExitCode} from '../../errors.js'

/** A package that the archive vouches for can't be unpacked: its own fault, or that of another one. */
export class PackageRefusedError extends EnvsError {
  constructor(name: string, reason: string, cause?: unknown) {
    super(`The package ${name} can't be unpacked: ${reason}.`, {
      code: 'ENVS_PACKAGE_REFUSED',
      exitCode: ExitCode.integrity,
      suggestions: ['Try another mirror: mirrors.debianArchive, mirrors.ubuntuArchive in envs config.'],
      cause,
    })
  }
}
