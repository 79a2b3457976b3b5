import {defineError, EnvsError, ExitCode} from '../../errors.js'

export class PackageRefusedError extends EnvsError {}

/** A package that the archive vouches for can't be unpacked: its own fault, or that of another one. */
export const packageRefusedError = defineError(
  'ENVS_PACKAGE_REFUSED',
  ExitCode.integrity,
  {
    message: 'Could not unpack the package "{name}": {reason}.',
    nextStep: 'Name another mirror in the setting mirrors.debianArchive or mirrors.ubuntuArchive.',
  },
  PackageRefusedError,
)
