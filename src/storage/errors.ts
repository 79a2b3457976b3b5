import {EnvsError, ExitCode} from '../errors.js'
import type {RecordProblem} from '../host/records.js'

/** An environment's history is not what this version of envs writes. */
export class HistoryUnreadableError extends EnvsError {
  constructor(path: string, {why, isNewer, cause}: RecordProblem) {
    super(`The history ${path} can't be read: ${why}.`, {
      code: 'ENVS_HISTORY_UNREADABLE',
      exitCode: ExitCode.storage,
      suggestions: [
        isNewer
          ? 'Run the command with the newest envs that has used this store; the environment is unchanged.'
          : 'Restore the file; all other files of the environment are unchanged.',
      ],
      cause,
    })
  }
}

/** Layers could not be merged, and are as they were. */
export class SquashFailedError extends EnvsError {
  constructor(cause: unknown) {
    super('The changes between old snapshots could not be merged.', {
      code: 'ENVS_SQUASH_FAILED',
      exitCode: ExitCode.storage,
      suggestions: ['Nothing is lost. Run the command again with --verbose to see why.'],
      cause,
    })
  }
}

/** The disk has no room for another layer. */
export class LayerSpaceError extends EnvsError {
  /** @param neededBytes - Undefined where that was not counted. */
  constructor(folder: string, needed?: {readonly neededBytes: number; readonly freeBytes: number}) {
    const figures =
      needed === undefined ? '' : `: ${needed.neededBytes} bytes are needed, ${needed.freeBytes} are free`
    super(`There is not enough free space in ${folder}${figures}.`, {
      code: 'ENVS_STORAGE_FULL',
      exitCode: ExitCode.storage,
      suggestions: ['Free some space, or remove snapshots: envs snapshots NAME --remove LABEL'],
    })
  }
}
