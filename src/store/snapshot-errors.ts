import {defineError, EnvsError, ExitCode} from '../errors.js'

export const snapshotNotFoundError = defineError('ENVS_NO_SNAPSHOT', ExitCode.notFound, {
  message: 'The environment "{name}" has no snapshot "{label}".',
  nextStep: 'See the snapshots that exist: envs snapshots {name}',
})

export const snapshotExistsError = defineError('ENVS_SNAPSHOT_EXISTS', ExitCode.conflict, {
  message: 'The environment "{name}" has a snapshot "{label}" already.',
  nextStep: 'Choose another label, or remove that snapshot first: envs snapshots {name} --remove {label}',
})

/** The present state has no predecessor. */
export const nothingToUndoError = defineError('ENVS_NOTHING_TO_UNDO', ExitCode.notFound, {
  message: 'There is no earlier state of the environment "{name}".',
  nextStep: 'Begin again with its image: envs reset {name}',
})

/** No state was replaced by `undo`, or another return to a snapshot came after it. */
export const nothingToRedoError = defineError('ENVS_NOTHING_TO_REDO', ExitCode.notFound, {
  message: 'There is nothing to redo in the environment "{name}": no state was undone last.',
  nextStep: 'See the states that can be restored: envs snapshots {name}',
})

/** An environment with `directory` storage has no snapshots. */
export const noHistoryError = defineError('ENVS_NO_HISTORY', ExitCode.conflict, {
  message: 'The environment "{name}" cannot have snapshots: its storage is directory.',
  nextStep: [
    'Keep a copy of the environment: envs clone {name} {name}-copy',
    'Or create one that can have snapshots: ENVS_STORAGE=overlay envs create {image} --name OTHER',
  ],
})

/** Not even two layers fit into the options of mount(2). */
export const storePathTooLongError = defineError('ENVS_STORE_PATH_TOO_LONG', ExitCode.host, {
  message: 'The environment "{name}" cannot have snapshots: the path of its layers is too long: "{folder}".',
  nextStep: 'Move the store to a folder with a shorter path, and set ENVS_HOME to it.',
})

/** A garbage collection holds the lock of the layers for too long. */
export const layersBusyError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'The store is being cleaned up by {holders}.',
  nextStep: 'Wait for that command to end, then run this command again.',
})

export class FreezeFailedError extends EnvsError {}

/** A process of the guest could not be stopped, so the files kept changing. */
export const freezeFailedError = defineError(
  'ENVS_NOT_FROZEN',
  ExitCode.conflict,
  {
    message: 'Could not freeze all processes in "{name}": {commands}.',
    nextStep: 'Run the command again, or stop the environment first: envs stop {name}',
  },
  FreezeFailedError,
)
