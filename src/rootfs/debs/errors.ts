import {EnvsError, ExitCode} from '../../errors.js'

/** A verified package can't be unpacked, because of itself or of another package. */
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
