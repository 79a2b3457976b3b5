import {EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/doctor/check.js'

/** Packages of a release could not be configured: their scripts failed, or dpkg is not content with them. */
export class BootstrapFailedError extends EnvsError {
  /** @param words - The last that was said; untrusted. @param log - Where all of it is. */
  constructor(name: string, reason: string, {words, log}: {words: string; log: string}) {
    super(`${name} could not be made: ${reason}.${words === '' ? '' : `\n${words}`}`, {
      code: 'ENVS_BOOTSTRAP_FAILED',
      exitCode: ExitCode.host,
      suggestions: [`All that was said: ${log}`, 'Leave out what was added with --include, if there is any.'],
    })
  }
}

/** What can start an environment here can't run dpkg for a new one. */
export class BootstrapUnsupportedError extends EnvsError {
  constructor(name: string, engine: string) {
    super(`${name} can't be made by the engine ${engine}: it takes namespaces to configure packages.`, {
      code: 'ENVS_BOOTSTRAP_UNSUPPORTED',
      exitCode: ExitCode.host,
      suggestions: ['Take a published image: envs image search', seeChecks('user-namespaces')],
    })
  }
}

/** Something was asked for that only an image made of packages can have. */
export class NoArchiveImageError extends EnvsError {
  constructor() {
    super('--include, --variant and --components are for images that are made from a package archive.', {
      code: 'ENVS_USAGE',
      exitCode: ExitCode.usage,
      suggestions: ['Name a release of Debian or Ubuntu: trixie, noble/archive'],
    })
  }
}
