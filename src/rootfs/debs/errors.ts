import {defineError, EnvsError, ExitCode} from '../../errors.js'

export class PackageRefusedError extends EnvsError {}

/** A verified package can't be unpacked, because of itself or of another package. */
export const packageRefusedError = defineError(
  'ENVS_PACKAGE_REFUSED',
  ExitCode.integrity,
  {
    message: 'Could not unpack the package "{name}": {reason}.',
    nextStep: 'Name another mirror in the setting mirrors.debianArchive or mirrors.ubuntuArchive.',
  },
  PackageRefusedError,
)
