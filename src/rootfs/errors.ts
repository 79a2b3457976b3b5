import {defineError, EnvsError, type ErrorCode, ExitCode, errnoOf} from '../errors.js'

/** A sound archive asks for something no rootfs needs: to leave its folder, or to outgrow a bound. */
export const refusedMemberError = defineError('ENVS_ARCHIVE_REFUSED', ExitCode.integrity, {
  message: 'The archive member "{member}" was refused: {reason}.',
  nextStep: 'Do not use this archive unless you know who made it.',
})

/** The archive is that of a container's image: its layers are archives in it, and nothing here lays them over each other. */
export const containerImageError = defineError('ENVS_ARCHIVE_UNKNOWN', ExitCode.integrity, {
  message: 'The archive holds the layers of a container image, not a root file system.',
  nextStep: 'Give the root file system itself, as docker export and podman export write it.',
})

/** The disk has no room for the tree; nothing of it is kept. */
export const storageFullError = defineError('ENVS_STORAGE_FULL', ExitCode.storage, {
  message: 'Not enough free space for the root file system in "{root}".',
  nextStep: 'Free some space, or set ENVS_HOME to a folder on another disk.',
})

/** The file system answered an operation on the tree with an errno nothing here can cure. */
export const storageFailedError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'The file system refused "{path}": {errno}.',
  nextStep: 'See whether you may write there and whether the disk works.',
})

/** The ledger beside a tree is damaged, or of a newer envs. */
export const ledgerUnreadableError = defineError('ENVS_BAD_LEDGER', ExitCode.storage, {
  message: 'Could not read the ledger "{path}": {reason}.',
  nextStep: 'Move the file away: the environment works without it.',
})

/** An error of the file system as what a user can act on; any other as it is. */
export function explainErrno(error: unknown, path: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return storageFullError({root: path}, {cause: error})
  return storageFailedError({path, errno}, {cause: error})
}

/** Somebody may change the tree meanwhile, and this host can't keep a link from leading the copy out of it. */
export const unguardedCopyError = defineError('ENVS_COPY_UNGUARDED', ExitCode.host, {
  message:
    'Could not copy "{from}" safely while programs run in it: this host lets envs make no mount that follows no symlinks.',
  nextStep: [
    'Stop the environment first: envs stop NAME',
    'A safe copy needs Linux 5.10 and the right to mount in a user namespace: envs doctor',
  ],
})

/** Some of a tree could not be copied, for another reason than space. */
export const copyFailedError = defineError('ENVS_COPY_FAILED', ExitCode.storage, {
  message: 'cp(1) could not copy all of "{from}".',
  nextStep: 'Run the command again with --verbose to see the messages of cp(1).',
})

/** Some of a tree could not be read into an archive, or changed while it was. */
export const treeUnreadableError = defineError('ENVS_EXPORT_FAILED', ExitCode.storage, {
  message: 'tar(1) could not read all of the root file system in "{root}".',
  nextStep: 'Run the command again with --verbose to see the messages of tar(1).',
})

/** A host program gave up on compressing an archive. */
export const compressionFailedError = defineError('ENVS_EXPORT_FAILED', ExitCode.host, {
  message: '{program}(1) could not compress the archive: it ended with status {status}.',
  nextStep: 'Choose another format with --format.',
})

/** A fix could not be laid into the tree, because of what the tree has in its place. */
export const fixFailedError = defineError('ENVS_FIX_FAILED', ExitCode.storage, {
  message: 'Could not write "/{path}" in the root file system: {reason}.',
  nextStep: 'See whether you may write there and whether the disk works.',
})

/** What the worker said before it gave up, with the code and status it would have had in this process. */
export class WorkerFailure extends EnvsError {
  constructor(
    message: string,
    details: {code: ErrorCode; exitCode: number; suggestions: readonly string[]; cause?: unknown},
  ) {
    super(message, details)
  }
}

export class WorkerDiedError extends EnvsError {}

/** The worker ended without a word: killed by the kernel, an operator, or a crash. */
export const workerDiedError = defineError(
  'ENVS_WORKER_DIED',
  ExitCode.host,
  {
    message: 'The process that was to {verb} the root file system ended early, {how}.',
    nextStep: 'See whether the host ran out of memory, then run the command again.',
  },
  WorkerDiedError,
)

/** A guest left something else where a folder is to be mounted on. */
export const mountPointError = defineError('ENVS_MOUNT_POINT', ExitCode.conflict, {
  message: 'Could not mount anything on "{path}" of the environment: it is not a folder.',
  nextStep: "Move {path} away inside the environment's files, then enter the environment again.",
})
