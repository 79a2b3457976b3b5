import {defineError, ExitCode} from '../errors.js'

export const unknownSettingError = defineError('ENVS_UNKNOWN_SETTING', ExitCode.usage, {
  message: 'There is no setting "{name}".',
  nextStep: 'envs config list',
})

/** A setting has an invalid value; `where` is the name of its origin as the user wrote it. */
export const invalidSettingError = defineError('ENVS_BAD_SETTING', ExitCode.usage, {
  message: '{where} cannot be "{value}": it must be {allowed}.',
})

/** The file belongs to the user: envs neither resets nor rewrites it. */
export const configCorruptError = defineError('ENVS_CONFIG_CORRUPT', ExitCode.usage, {
  message: 'Could not read the settings in "{path}": {reason}.',
  nextStep: 'Repair {path}, or move it away to start with the built-in settings.',
})

export const configBusyError = defineError('ENVS_CONFIG_BUSY', ExitCode.conflict, {
  message: 'Another process is changing the settings in "{path}".',
  nextStep: 'Run the command again when that process has ended.',
})
