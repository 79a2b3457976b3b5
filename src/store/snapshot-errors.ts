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
  message: 'There is no undone state of the environment "{name}".',
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

/** The layers exceed the limit of mount(2), and can't be merged. */
export const tooManySnapshotsError = defineError('ENVS_TOO_MANY_SNAPSHOTS', ExitCode.conflict, {
  message: 'The environment "{name}" has as many snapshots as one environment can have.',
  nextStep: [
    'Remove some: envs snapshots {name} {removals}',
    'Without perl envs cannot merge the layers between snapshots; download perl: envs doctor --fetch perl',
  ],
})

/** A garbage collection holds the lock of the layers for too long. */
export const layersBusyError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'The store is being cleaned up by {holders}.',
  nextStep: 'Run the command again.',
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
