import {EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/doctor/check.js'
import type {LockHolder} from '../host/flock.js'
import type {RecordProblem} from '../host/records.js'

export class EnvironmentNotFoundError extends EnvsError {
  /** @param nearest - Existing names that look like it. */
  constructor(name: string, nearest: readonly string[]) {
    super(`There is no environment ${name}.`, {
      code: 'ENVS_NOT_FOUND',
      exitCode: ExitCode.notFound,
      suggestions:
        nearest.length > 0 ? [`Did you mean ${nearest.join(' or ')}?`] : ['See what there is: envs list'],
    })
  }
}

/** NAME was left out, and there is none or more than one to choose from. */
export class NoDefaultEnvironmentError extends EnvsError {
  constructor(names: readonly string[]) {
    const none = names.length === 0
    super(
      none
        ? 'There is no environment yet.'
        : `Which environment? There are ${names.length}: ${names.join(', ')}.`,
      {
        code: none ? 'ENVS_NOT_FOUND' : 'ENVS_USAGE',
        exitCode: none ? ExitCode.notFound : ExitCode.usage,
        suggestions: [none ? 'Create one: envs create' : 'Give its name.'],
      },
    )
  }
}

export class EnvironmentExistsError extends EnvsError {
  /** @param suggestion - How the command that met it takes another name. */
  constructor(name: string, suggestion: string) {
    super(`There is an environment ${name} already.`, {
      code: 'ENVS_EXISTS',
      exitCode: ExitCode.conflict,
      suggestions: [suggestion],
    })
  }
}

/** Files that are no environment lie where one is to be. */
export class StoreFolderTakenError extends EnvsError {
  constructor(folder: string) {
    super(`${folder} is there already, and is no environment.`, {
      code: 'ENVS_FOLDER_TAKEN',
      exitCode: ExitCode.conflict,
      suggestions: ['Move it away, or choose another name.'],
    })
  }
}

/** Another command, or a session, has the environment. */
export class EnvironmentBusyError extends EnvsError {
  constructor(name: string, holders: readonly LockHolder[]) {
    const who = holders.map(({pid, command}) => `${command} (process ${pid})`).join(', ')
    super(`Environment ${name} is in use${who === '' ? '' : ` by ${who}`}.`, {
      code: 'ENVS_BUSY',
      exitCode: ExitCode.conflict,
      suggestions: [`End what uses it (envs ps ${name}; envs stop ${name}), or wait for it.`],
    })
  }
}

/** Something of it runs: services, or a session. */
export class EnvironmentRunningError extends EnvsError {
  /** @param command - The one that takes --force, as `envs COMMAND --force NAME`. */
  constructor(name: string, {canForce, command = 'rm'}: {canForce: boolean; command?: string}) {
    super(`Environment ${name} is running.`, {
      code: 'ENVS_RUNNING',
      exitCode: ExitCode.conflict,
      suggestions: [
        `See what runs: envs ps ${name}. End it: envs stop ${name}`,
        ...(canForce ? [`Or have it stopped first: envs ${command} --force ${name}`] : []),
      ],
    })
  }
}

/** A record that this version can't read: made by a newer one, or damaged. */
export class RecordUnreadableError extends EnvsError {
  constructor(path: string, {why, isNewer, cause}: RecordProblem) {
    super(`${path} can't be read: ${why}.`, {
      code: 'ENVS_BAD_RECORD',
      exitCode: ExitCode.storage,
      suggestions: [
        isNewer
          ? 'Run the command with the newest envs that has used this store; the environment is unchanged.'
          : 'Restore the file, or remove the environment with envs rm.',
      ],
      cause,
    })
  }
}

/** Some of a tree could not be removed; the rest is gone. */
export class RemovalIncompleteError extends EnvsError {
  constructor(
    name: string,
    folder: string,
    failures: readonly {readonly path: string; readonly code: string}[],
  ) {
    const shown = failures.slice(0, 5).map(({path, code}) => `${path} (${code})`)
    super(
      `${failures.length} files of ${name} could not be removed: ${shown.join(', ')}${failures.length > 5 ? ', …' : ''}`,
      {
        code: 'ENVS_REMOVAL_INCOMPLETE',
        exitCode: ExitCode.storage,
        suggestions: [
          `What is left lies in ${folder}; the next envs command that changes something tries again.`,
        ],
      },
    )
  }
}

/** What `envs try` was to install could not be; APT has said why. */
export class PackagesNotInstalledError extends EnvsError {
  /** @param hasImage - Whether the first word was an image. */
  constructor(
    packages: readonly string[],
    {status, hasImage}: {readonly status: number; readonly hasImage: boolean},
  ) {
    super(`The packages were not installed: ${packages.join(' ')}.`, {
      code: 'ENVS_PACKAGES_NOT_INSTALLED',
      // An interrupt is the user's doing, not a failure of APT's.
      exitCode: status === INTERRUPTED ? status : ExitCode.guestNotStarted,
      suggestions:
        status === INTERRUPTED
          ? []
          : ['What apt-get says stands above.', ...(hasImage ? [] : [notAnImage(packages[0] ?? '')])],
    })
  }
}

/** 128 and SIGINT. */
const INTERRUPTED = 130

function notAnImage(word: string): string {
  return `No image is called ${word}. To see those there are: envs image search`
}

/** It goes when its command ends: only then can it be kept. */
export class TryRunningError extends EnvsError {
  constructor(name: string) {
    super(`Environment ${name} is still in use by the envs try that made it.`, {
      code: 'ENVS_TRY_RUNNING',
      exitCode: ExitCode.conflict,
      suggestions: ['Leave its shell, then run the command again.'],
    })
  }
}

/** There is no throwaway environment to keep, or it is none. */
export class NoTryError extends EnvsError {
  /** @param name - The one that was asked for; undefined for the last. */
  constructor(name: string | undefined) {
    super(
      name === undefined
        ? 'There is no environment of envs try to keep.'
        : `Environment ${name} is none of envs try.`,
      {
        code: 'ENVS_NO_TRY',
        exitCode: ExitCode.notFound,
        suggestions: [
          'One that has ended can be kept for an hour: envs list --all',
          'To have one stay from the start: envs try --keep NAME',
        ],
      },
    )
  }
}

/** What a throwaway environment wrote was in memory, and is gone: after a restart, or an hour. */
export class TryLostError extends EnvsError {
  constructor(name: string) {
    super(`What ${name} had written was in memory, and is gone.`, {
      code: 'ENVS_TRY_LOST',
      exitCode: ExitCode.notFound,
      suggestions: ['envs keep keeps one for good; envs try --disk writes to the disk.'],
    })
  }
}

/** An environment was made in a way that this host's, or the user's, engine can't show. */
export class EngineUnsuitableError extends EnvsError {
  constructor(
    name: string,
    {identity, storage, engine}: {identity: string; storage: string; engine: string},
  ) {
    super(
      `Environment ${name} can't be entered with the engine ${engine}: it has the identity ${identity} and the storage ${storage}, and ${engine} gives emulated and directory alone.`,
      {
        code: 'ENVS_ENGINE_UNSUITABLE',
        exitCode: ExitCode.host,
        suggestions: [
          seeChecks('engine', 'user-namespaces'),
          `Or make one that can be entered: ENVS_ENGINE=${engine} envs create`,
        ],
      },
    )
  }
}

/** Layers were asked for by name, and this host can't stack them. */
export class StorageUnavailableError extends EnvsError {
  constructor() {
    super("The storage overlay can't be had on this host: stacking layers was tried, and failed.", {
      code: 'ENVS_STORAGE_UNAVAILABLE',
      exitCode: ExitCode.host,
      suggestions: [
        'It takes Linux 5.11, a file system that overlayfs writes to (no NFS), and another user than root.',
        'The path of the store must be one without commas, colons, quotes and backslashes.',
        'Or leave the storage at auto, or set it to directory.',
      ],
    })
  }
}
