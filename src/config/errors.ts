import {EnvsError, ExitCode} from '../errors.js'

/** No setting has this name. */
export class UnknownSettingError extends EnvsError {
  constructor(name: string, nearest: readonly string[]) {
    super(`There is no setting ${name}.`, {
      code: 'ENVS_UNKNOWN_SETTING',
      exitCode: ExitCode.usage,
      suggestions: [
        ...(nearest.length === 0 ? [] : [`Did you mean ${nearest.join(' or ')}?`]),
        'envs config list',
      ],
    })
  }
}

/** A value that its setting can't take, wherever it was written. */
export class InvalidSettingError extends EnvsError {
  /** @param where - The setting, variable, flag or file entry, as the user wrote it. */
  constructor(where: string, value: string, allowed: string) {
    super(`${where} can not be ${JSON.stringify(value)}: it must be ${allowed}.`, {
      code: 'ENVS_BAD_SETTING',
      exitCode: ExitCode.usage,
    })
  }
}

/** The user's file can't be read as settings. It is theirs: it is neither reset nor rewritten. */
export class ConfigCorruptError extends EnvsError {
  constructor(path: string, why: string, cause?: unknown) {
    super(`The settings in ${path} can not be read: ${why}.`, {
      code: 'ENVS_CONFIG_CORRUPT',
      exitCode: ExitCode.usage,
      suggestions: [`Repair ${path}, or move it away to start with the built-in settings.`],
      cause,
    })
  }
}

/** Others have been changing the settings for longer than one waits. */
export class ConfigBusyError extends EnvsError {
  constructor(path: string) {
    super(`Another process is changing the settings in ${path}.`, {
      code: 'ENVS_CONFIG_BUSY',
      exitCode: ExitCode.conflict,
      suggestions: ['Run the command again when it has ended.'],
    })
  }
}
