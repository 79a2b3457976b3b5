import {EnvsError, ExitCode} from '../errors.js'

/** This version of envs can't read an environment's history. */
export class HistoryUnreadableError extends EnvsError {
  constructor(path: string, rule: string, cause?: unknown) {
    super(`The history ${path} can't be read: ${rule}.`, {
      code: 'ENVS_HISTORY_UNREADABLE',
      exitCode: ExitCode.storage,
      suggestions: ['A newer envs may have written it. The files are untouched.'],
      cause,
    })
  }
}

/** Layers could not be merged, and are unchanged. */
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

/** The disk has no space for another layer. */
export class LayerSpaceError extends EnvsError {
  /** @param neededBytes - Undefined if it was not measured. */
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
