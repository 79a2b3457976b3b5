import {defineError, EnvsError, ExitCode} from '../../errors.js'

/** The caller stands in no project. */
export class NoProjectError extends EnvsError {}

/** The file cannot be read as TOML, or holds what this build does not know. `where` is `PATH:LINE:COLUMN`. */
export const projectFileError = defineError('ENVS_PROJECT_FILE', ExitCode.usage, {
  message: '{where}: {problem}.',
  nextStep: 'Correct the file; all its keys: docs/projects.md',
})

export const noProjectError = defineError(
  'ENVS_NO_PROJECT',
  ExitCode.notFound,
  {
    message: 'There is no envs.toml in "{folder}" or a folder above it.',
    nextStep: 'Make one of an environment that is there: envs init NAME',
  },
  NoProjectError,
)

export const unknownTableError = defineError('ENVS_NOT_IN_PROJECT', ExitCode.notFound, {
  message: '{path} has no environment "{name}".',
  nextStep: 'Its environments: {known}',
})

/** The file belongs to somebody else, or others can change it: what it says would be done in the name of the caller. */
export const foreignProjectError = defineError('ENVS_PROJECT_FOREIGN', ExitCode.usage, {
  message: '{path} is not yours alone: {problem}.',
  nextStep: 'Copy the project into a folder of your own.',
})
