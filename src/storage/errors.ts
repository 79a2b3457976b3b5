import {defineError, EnvsError, ExitCode} from '../errors.js'

export class HistoryUnreadableError extends EnvsError {}

/** This version of envs can't read an environment's history. */
export const historyUnreadableError = defineError(
  'ENVS_HISTORY_UNREADABLE',
  ExitCode.storage,
  {
    message: 'Could not read the history "{path}": {reason}.',
    nextStep: 'Restore the file; all other files of the environment are unchanged.',
  },
  HistoryUnreadableError,
)

/** Layers could not be merged, and are unchanged. */
export const squashFailedError = defineError('ENVS_SQUASH_FAILED', ExitCode.storage, {
  message: 'Could not merge the changes between old snapshots; nothing is lost.',
  nextStep: 'Run the command again with --verbose to see the reason.',
})

const FREE_LAYER_SPACE = 'Free some space, or remove snapshots: envs snapshots NAME --remove LABEL'

export class LayerSpaceError extends EnvsError {}

/** The disk had no room for another layer while it was written. */
export const layerSpaceError = defineError(
  'ENVS_STORAGE_FULL',
  ExitCode.storage,
  {message: 'Not enough free space in "{folder}".', nextStep: FREE_LAYER_SPACE},
  LayerSpaceError,
)

/** The disk has no room for a copy, as counted before. */
export const copySpaceError = defineError(
  'ENVS_STORAGE_FULL',
  ExitCode.storage,
  {
    message: 'Not enough free space in "{folder}": {neededBytes} bytes are needed, {freeBytes} are free.',
    nextStep: FREE_LAYER_SPACE,
  },
  LayerSpaceError,
)
