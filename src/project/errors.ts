import {defineError, ExitCode} from '../errors.js'

/** A path of the project that a step or a copy takes. */
export const badInputError = defineError('ENVS_PROJECT_INPUT', ExitCode.usage, {
  message: 'Could not read "{path}" of the project: {problem}.',
  nextStep: 'Correct "needs" or "from" in envs.toml.',
})

/** A key of the file needs what this build or this host has not. */
export const notSupportedError = defineError('ENVS_PROJECT_UNSUPPORTED', ExitCode.usage, {
  message: '{path}: "{key}" cannot be done here: {reason}.',
})

export const stepFailedError = defineError('ENVS_PROJECT_STEP', ExitCode.found, {
  message: 'The {title} of {name} failed with status {status}.',
  nextStep: [
    'Correct it and run envs up again: the layers below it are kept for an hour.',
    'To look around in the state where it failed: envs up --keep-failed, then envs enter {failed}',
  ],
})

export const changedByHandError = defineError('ENVS_PROJECT_CHANGED', ExitCode.conflict, {
  message: '{name} has changes of its own, which the new state would hide: {changes}.',
  nextStep: ['See them: envs diff {name} {since}', 'Go on, and keep them as a snapshot: envs up --replace'],
})

export const notOfProjectError = defineError('ENVS_PROJECT_NAME', ExitCode.conflict, {
  message: 'There is an environment {name} that {path} did not make.',
  nextStep: ['Rename it: envs rename {name} OTHER', 'Remove it: envs rm {name}'],
})

export const notTrustedError = defineError('ENVS_PROJECT_TRUST', ExitCode.usage, {
  message: '{path} asks for more than its own environment: {wishes}.',
  nextStep: 'Allow exactly this: envs up --yes',
})

export const notDescribedError = defineError('ENVS_PROJECT_DESCRIBE', ExitCode.found, {
  message: 'Could not ask {name} for its packages: {reason}',
  nextStep: 'See whether APT works in it: envs run {name} apt-mark showmanual',
})

export const fileExistsError = defineError('ENVS_PROJECT_EXISTS', ExitCode.conflict, {
  message: 'The file "{path}" exists already.',
  nextStep: [
    'Write to another one: envs init {name} --output FILE',
    'Print it instead: envs init {name} --output -',
  ],
})

/** The hook runs in the environment itself, which stays. */
export const hookFailedError = defineError('ENVS_PROJECT_HOOK', ExitCode.found, {
  message: 'The hook "created" of {name} failed with status {status}.',
  nextStep: ['Look around: envs enter {name}', 'Make it again: envs down, then envs up'],
})

export const notUpError = defineError('ENVS_PROJECT_NOT_UP', ExitCode.notFound, {
  message: 'The environment {name} of this project is not there yet.',
  nextStep: 'Make it: envs up',
})

export const wrongKeyError = defineError('ENVS_PROJECT_KEY', ExitCode.integrity, {
  message: 'The file "{path}" of the project has other keys than {fingerprint}: {found}.',
  nextStep:
    'Compare it with what the publisher of the packages says; envs.toml names the fingerprint that is expected.',
})
