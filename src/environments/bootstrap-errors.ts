import {defineError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/doctor/check.js'

/** Packages of a release could not be configured: their scripts failed, or dpkg is not content with them; `lastLines` of the log are untrusted. */
export const bootstrapFailedError = defineError('ENVS_BOOTSTRAP_FAILED', ExitCode.host, {
  message: 'Could not make "{name}": {reason}.{lastLines}',
  nextStep: [
    'See the whole log: {log}',
    'If you added packages with --include, run the command again without them.',
  ],
})

/** What can start an environment here can't run dpkg for a new one. */
export const bootstrapUnsupportedError = defineError('ENVS_BOOTSTRAP_UNSUPPORTED', ExitCode.host, {
  message: 'Could not make "{name}" with the engine {engine}: to configure packages, envs needs namespaces.',
  nextStep: ['Use a published image: envs image search', seeChecks('user-namespaces')],
})

/** Something was asked for that only an image made of packages can have. */
export const noArchiveImageError = defineError('ENVS_USAGE', ExitCode.usage, {
  message: '--include, --variant and --components are for images that envs makes from packages.',
  nextStep: 'Name a release of Debian or Ubuntu: trixie, noble/archive',
})
