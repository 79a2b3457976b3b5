import {defineError, EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/check.js'

const SEE_LIST = 'See the environments that exist: envs list'

export class EnvironmentNotFoundError extends EnvsError {}

export const environmentNotFoundError = defineError(
  'ENVS_NOT_FOUND',
  ExitCode.notFound,
  {message: 'There is no environment "{name}".', nextStep: SEE_LIST},
  EnvironmentNotFoundError,
)

/** No removed environment of that name can be recovered. */
export const notRemovedError = defineError('ENVS_NOT_REMOVED', ExitCode.notFound, {
  message: 'There is no removed environment "{name}".',
  nextStep: 'See the removed environments that can be recovered: envs list --removed',
})

/** NAME was omitted, and no environment exists. */
export const noEnvironmentError = defineError('ENVS_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no environment yet.',
  nextStep: 'Create one: envs create',
})

/** NAME was omitted, and more than one environment exists. */
export const ambiguousEnvironmentError = defineError('ENVS_USAGE', ExitCode.usage, {
  message: 'The name of the environment is missing: there are {count}: {names}.',
  nextStep: 'Give the name of one of them.',
})

export class EnvironmentExistsError extends EnvsError {}

/** Callers add how their command takes another name. */
export const environmentExistsError = defineError(
  'ENVS_EXISTS',
  ExitCode.conflict,
  {message: 'The environment "{name}" exists already.', nextStep: 'Choose another name.'},
  EnvironmentExistsError,
)

/** The folder for an environment exists, and is not an environment. */
export const storeFolderTakenError = defineError('ENVS_FOLDER_TAKEN', ExitCode.conflict, {
  message: 'The folder "{folder}" exists already, but is not an environment.',
  nextStep: 'Move the folder away, or choose another name.',
})

export class EnvironmentBusyError extends EnvsError {}

/** Another command, or a session, holds the environment's lock. */
export const environmentBusyError = defineError(
  'ENVS_BUSY',
  ExitCode.conflict,
  {
    message: 'The environment "{name}" is in use by {holders}.',
    nextStep: 'Stop its processes (envs ps {name}; envs stop {name}), or wait for them to end.',
  },
  EnvironmentBusyError,
)

export class EnvironmentRunningError extends EnvsError {}

/** Services or a session of the environment run. */
export const environmentRunningError = defineError(
  'ENVS_RUNNING',
  ExitCode.conflict,
  {
    message: 'The environment "{name}" is running.',
    nextStep: 'See its processes: envs ps {name}. Stop them: envs stop {name}',
  },
  EnvironmentRunningError,
)

/** As {@link environmentRunningError}, in a command that has --force. */
export const stopFirstError = defineError(
  'ENVS_RUNNING',
  ExitCode.conflict,
  {
    message: 'The environment "{name}" is running.',
    nextStep: [
      'See its processes: envs ps {name}. Stop them: envs stop {name}',
      'Or have envs stop the environment first: envs {command} --force {name}',
    ],
  },
  EnvironmentRunningError,
)

export class RecordUnreadableError extends EnvsError {}

/** This version can't read a record: a newer version wrote it, or it is damaged. */
export const recordUnreadableError = defineError(
  'ENVS_BAD_RECORD',
  ExitCode.storage,
  {
    message: 'Could not read the record "{path}": {reason}.',
    nextStep: 'Restore the file from a backup, or remove the environment: envs rm NAME',
  },
  RecordUnreadableError,
)

/** The store has features that this version does not know. */
export const storeNewerError = defineError('ENVS_STORE_NEWER', ExitCode.storage, {
  message: 'Could not use the store "{folder}": {reason}.',
  nextStep:
    'Use the newest envs that has used this store, or another store: ENVS_HOME=FOLDER. Nothing was changed.',
})

/** Some files of a tree could not be removed; the others were. */
export const removalIncompleteError = defineError('ENVS_REMOVAL_INCOMPLETE', ExitCode.storage, {
  message: 'Could not remove {count} files of "{name}": {files}.',
  nextStep: 'The files are in {folder}; the next envs command that changes something tries again.',
})

/** The init `systemd` was asked for. */
export const noSystemdError = defineError('ENVS_NO_SYSTEMD', ExitCode.conflict, {
  message: 'The environment "{name}" has no systemd.',
  nextStep: 'Install it first: envs run {name} -- apt-get install -y {packages}',
})

/** APT could not install packages in a new environment, and has printed the reason. */
export const packagesNotInstalledError = defineError(
  'ENVS_PACKAGES_NOT_INSTALLED',
  ExitCode.guestNotStarted,
  {
    message: 'Could not install the packages {packages}.',
    nextStep: 'See the messages of apt-get above.',
  },
)

/** The user interrupted APT, which is not a failure of APT. */
export const installInterruptedError = defineError('ENVS_PACKAGES_NOT_INSTALLED', 130, {
  message: 'Could not install the packages {packages}: the installation was interrupted.',
})

/** The command of `envs try` still runs: the environment can be kept only after it ended. */
export const tryRunningError = defineError('ENVS_TRY_RUNNING', ExitCode.conflict, {
  message: 'The environment "{name}" is still in use by the command envs try that created it.',
  nextStep: 'Leave its shell, then run the command again.',
})

const KEEP_IN_TIME = [
  'An environment of envs try can be kept for an hour after its command has ended: envs list --all',
  'To keep one from the start: envs try --keep NAME',
] as const

/** No environment of `envs try` exists. */
export const noTryError = defineError('ENVS_NO_TRY', ExitCode.notFound, {
  message: 'There is no environment of envs try to keep.',
  nextStep: KEEP_IN_TIME,
})

/** The named environment was not created by `envs try`. */
export const notATryError = defineError('ENVS_NO_TRY', ExitCode.notFound, {
  message: 'The environment "{name}" was not created by envs try.',
  nextStep: KEEP_IN_TIME,
})

/** A try wrote to memory, and its files were lost at a restart or after an hour. */
export const tryLostError = defineError('ENVS_TRY_LOST', ExitCode.notFound, {
  message: 'The files of the environment "{name}" were in memory, and are lost.',
  nextStep:
    'Next time, keep the environment within an hour by envs keep, or write to the disk: envs try --disk',
})

/** The environment has an identity or a storage that the host's, or the chosen, engine does not support. */
export const engineUnsuitableError = defineError('ENVS_ENGINE_UNSUITABLE', ExitCode.host, {
  message:
    'The engine {engine} cannot enter the environment "{name}": it has the identity {identity} and the storage {storage}, and {engine} supports only emulated and directory.',
  nextStep: [
    seeChecks('engine', 'user-namespaces'),
    'Or create an environment that this engine can enter: ENVS_ENGINE={engine} envs create',
  ],
})

/** proot makes no first process, which would start the services. */
export const initUnsuitableError = defineError('ENVS_INIT_UNSUITABLE', ExitCode.host, {
  message: 'The engine {engine} cannot start the services of "{name}": it has no first process.',
  nextStep: [seeChecks('engine', 'user-namespaces'), 'Or use it without services: envs set {name} init=none'],
})

/** The user chose an engine that has no keeper for the guest's systemd. */
export const bootEngineError = defineError('ENVS_INIT_NEEDS_UNSHARE', ExitCode.conflict, {
  message:
    'The engine {engine} cannot boot the environment "{name}": its systemd needs the engine unshare, and {origin} is "{engine}".',
  nextStep: [
    'Leave the choice to envs: {remedy}',
    'For one command: ENVS_ENGINE=auto envs start {name}',
    'Or start its services without systemd, with bwrap or unshare: envs set {name} init=services',
  ],
})

/** The user chose the storage overlay, and this host can't mount layers. */
export const storageUnavailableError = defineError('ENVS_STORAGE_UNAVAILABLE', ExitCode.host, {
  message: 'The storage overlay does not work on this host: a trial mount of layers failed.',
  nextStep: [
    'Overlay storage needs Linux 5.11, a file system that overlayfs can write to (not NFS), and a user other than root.',
    'The path of the store must have no commas, colons, quotes or backslashes.',
    'Or leave the setting storage at auto, or set it to directory.',
  ],
})

/** A file of the user has the name of the shim. */
export const shimTakenError = defineError('ENVS_SHIM_TAKEN', ExitCode.conflict, {
  message: 'The file "{path}" exists already, and is not a shim of envs.',
  nextStep: 'Move the file away, or replace it with --force.',
})

export const shimNotFoundError = defineError('ENVS_NOT_FOUND', ExitCode.notFound, {
  message: 'The environment "{environment}" has no shim "{name}".',
  nextStep: 'See the shims that exist: envs shims',
})

export class HistoryUnreadableError extends EnvsError {}

/** This version of envs can't read an environment's history. */
export const historyUnreadableError = defineError(
  'ENVS_HISTORY_UNREADABLE',
  ExitCode.storage,
  {
    message: 'Could not read the history "{path}": {reason}.',
    nextStep: 'Restore the file from a backup; all other files of the environment are unchanged.',
  },
  HistoryUnreadableError,
)

/** The layer that an environment writes to is missing, and with it all changes since the last snapshot. */
export const upperLostError = defineError('ENVS_LAYER_LOST', ExitCode.storage, {
  message: 'The changes of "{name}" since its last snapshot are lost: its upper layer "{path}" is missing.',
  nextStep: [
    'Restore the folder from a backup, or go back to the last state that is left: envs undo {name}',
    'See what else is missing: envs doctor --check {name}',
  ],
})

/** A layer below the upper one is missing. */
export const layerLostError = defineError('ENVS_LAYER_LOST', ExitCode.storage, {
  message: 'A part of the files of "{name}" is lost: its layer "{path}" is missing.',
  nextStep: [
    'Restore the folder from a backup, or see what can be repaired: envs doctor --check {name}',
    'Or go back to a snapshot that does not need the layer: envs snapshots {name}',
  ],
})

/** /etc/subuid or /etc/subgid has changed since the environment was created. */
export const idsChangedError = defineError('ENVS_IDS_CHANGED', ExitCode.host, {
  message:
    'The files of "{name}" belong to the subordinate ids {recorded}, and this account now has {present}.',
  nextStep: [
    'Give the files the present ids: envs doctor --repair {name}',
    'Or ask an administrator to restore the former range in /etc/subuid and /etc/subgid.',
  ],
})

/** Files could not get the present ids; a second attempt continues. */
export const ownersNotShiftedError = defineError('ENVS_IDS_CHANGED', ExitCode.host, {
  message: 'Could not change the owners of all files: {reason}.',
  nextStep: 'Run the command again; nothing is lost.',
})

/** Layers could not be merged; they are unchanged. */
export const squashFailedError = defineError('ENVS_SQUASH_FAILED', ExitCode.storage, {
  message: 'Could not merge the changes between old snapshots; nothing is lost.',
  nextStep: 'Run the command again with --verbose to see the reason.',
})

const FREE_LAYER_SPACE = 'Free some space, or remove snapshots: envs snapshots NAME --remove LABEL'

export class LayerSpaceError extends EnvsError {}

/** An environment has more on disk than its limit; measured before a session. */
export const diskLimitError = defineError('ENVS_DISK_LIMIT', ExitCode.storage, {
  message:
    'The environment "{name}" is over its limit of disk: it has {usedMegabytes} MB of {mostMegabytes} MB.',
  nextStep: ['Give it more: envs set {name} disk=SIZE', 'Or take back its last changes: envs undo {name}'],
})

/** The disk was full while a layer was written. */
export const layerSpaceError = defineError(
  'ENVS_STORAGE_FULL',
  ExitCode.storage,
  {message: 'Not enough free space in "{folder}".', nextStep: FREE_LAYER_SPACE},
  LayerSpaceError,
)

/** The disk has too little free space for a copy, counted before the copy began. */
export const copySpaceError = defineError(
  'ENVS_STORAGE_FULL',
  ExitCode.storage,
  {
    message:
      'Not enough free space in "{folder}": {neededMegabytes} MB are needed, {freeMegabytes} MB are free.',
    nextStep: FREE_LAYER_SPACE,
  },
  LayerSpaceError,
)
