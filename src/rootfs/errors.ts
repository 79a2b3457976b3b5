import {defineError, EnvsError, type ErrorCode, ExitCode, errnoOf, wordsForErrno} from '../errors.js'
import {seeChecks} from '../host/check.js'
import {isErrno, limitOf, refusalOf} from '../host/errno.js'
import {limitReachedError} from '../host/errors.js'

export class PackageRefusedError extends EnvsError {}

/** A verified package can't be unpacked, because of itself or of another package. */
export const packageRefusedError = defineError(
  'ENVS_PACKAGE_REFUSED',
  ExitCode.integrity,
  {
    message: 'Could not unpack the package "{name}": {reason}.',
    nextStep:
      'Use another mirror, in the setting mirrors.ubuntuArchive or mirrors.debianArchive: envs config set SETTING URL',
  },
  PackageRefusedError,
)

/** A valid archive contains a member that no rootfs needs: one that leaves its folder, or exceeds a limit. */
export const refusedMemberError = defineError('ENVS_ARCHIVE_REFUSED', ExitCode.integrity, {
  message: 'The archive member "{member}" was refused: {reason}.',
  nextStep: 'Do not use this archive unless you know who made it.',
})

/** The archive is a container image: its layers are archives inside it, which envs does not stack here. */
export const containerImageError = defineError('ENVS_ARCHIVE_UNKNOWN', ExitCode.integrity, {
  message: 'The archive holds the layers of a container image, not a root file system.',
  nextStep: 'Give the root file system itself, as docker export and podman export write it.',
})

/** The disk has no space for the tree; nothing of the tree remains. */
export const storageFullError = defineError('ENVS_STORAGE_FULL', ExitCode.storage, {
  message: 'Not enough free space for the root file system in "{root}".',
  nextStep: [
    'Free some space, with this command for example: envs prune',
    'Or set ENVS_HOME to a folder on another disk.',
  ],
})

/** The file system failed an operation on the tree with an errno that has no remedy here. */
export const storageFailedError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'The file system refused "{path}": {reason}.',
  nextStep: 'See whether you may write there and whether the disk works.',
})

/** The metadata journal of a tree is damaged, or written by a newer envs. */
export const ledgerUnreadableError = defineError('ENVS_BAD_LEDGER', ExitCode.storage, {
  message: 'Could not read "{path}", the ledger of owners and capabilities: {reason}.',
  nextStep: 'Move the file away; the environment works without it.',
})

/** The file beside a stored layer of a container image, which says what the layer removes, is damaged. */
export const layerUnreadableError = defineError('ENVS_BAD_LAYER', ExitCode.storage, {
  message: 'Could not read "{path}", a part of a stored layer: {reason}.',
  nextStep: 'Remove the image, then fetch it again: envs image rm NAME',
})

/** The layers of a container image contradict each other. */
export const layersRefusedError = defineError('ENVS_ARCHIVE_REFUSED', ExitCode.integrity, {
  message: 'Could not stack the layers of the image: "{path}" {reason}.',
  nextStep: 'Ask the publisher for another tag: no other program can stack these layers either.',
})

/** Returns an error of the file system as one with a remedy; any other error unchanged. */
export function explainErrno(error: unknown, path: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return storageFullError({root: path}, {cause: error})
  return storageFailedError({path, reason: wordsForErrno(errno)}, {cause: error})
}

/** Returns the error of a limit, or of a file system that refused an access, as one with a remedy; any other error unchanged. */
export function explainRefusal(error: unknown): unknown {
  const limit = limitOf(error)
  if (limit !== undefined) return limitReachedError({limit}, {cause: error})
  const isRefusal = isErrno(error, 'ENOSPC', 'EDQUOT') || refusalOf(error) !== undefined
  if (!isRefusal || !(error instanceof Error)) return error
  return explainErrno(error, 'path' in error ? String(error.path) : 'the tree')
}

/** The tree may change during the copy, and this host can't keep a link from leading the copy out of it. */
export const unguardedCopyError = defineError('ENVS_COPY_UNGUARDED', ExitCode.host, {
  message:
    'Could not copy "{from}" while programs run in it: this host refuses the mounts that would keep the copy from following their symlinks.',
  nextStep: [
    'Stop the environment first: envs stop NAME',
    'A safe copy needs Linux 5.10 and the right to mount in a user namespace: envs doctor',
  ],
})

/** A part of a tree could not be copied, for another reason than space. */
export const copyFailedError = defineError('ENVS_COPY_FAILED', ExitCode.storage, {
  message: 'cp(1) could not copy all of "{from}".',
  nextStep: 'Run the command again with --verbose to see the messages of cp(1).',
})

/** A part of a tree could not be read into an archive, or changed meanwhile. */
export const treeUnreadableError = defineError('ENVS_EXPORT_FAILED', ExitCode.storage, {
  message: 'tar(1) could not read all of the root file system in "{root}".',
  nextStep: 'Run the command again with --verbose to see the messages of tar(1).',
})

/** A file of the tree exceeds a limit of `envs import`, so its tarball could not be read again. */
export const exportRefusedError = defineError('ENVS_EXPORT_REFUSED', ExitCode.conflict, {
  message: 'Could not export "{path}": {reason}.',
  nextStep:
    'Shorten, move or remove the file in the environment, then export again; envs import would refuse this tarball.',
})

/** A file of the tree can't be in a layer of a container image. */
export const layerRefusedError = defineError('ENVS_EXPORT_REFUSED', ExitCode.conflict, {
  message: 'Could not pack "{path}" into a layer of an image: {reason}.',
  nextStep: [
    'Rename, move or remove it in the environment, then export again.',
    'If only a snapshot has it, pack the present files alone: --squash',
  ],
})

/** A host program failed to compress an archive. */
export const compressionFailedError = defineError('ENVS_EXPORT_FAILED', ExitCode.host, {
  message: '{program}(1) could not compress the archive: it ended with status {status}.',
  nextStep: 'Choose another format with --format.',
})

/** A fix could not be written, because of an entry in its place in the tree. */
export const fixFailedError = defineError('ENVS_FIX_FAILED', ExitCode.storage, {
  message: 'Could not write "/{path}" in the root file system: {reason}.',
  nextStep: 'See whether you may write there and whether the disk works.',
})

/** The failure that the worker reported, with the code and status that it would have had in this process. */
export class WorkerFailure extends EnvsError {
  constructor(
    message: string,
    details: {code: ErrorCode; exitCode: number; suggestions: readonly string[]; cause?: unknown},
  ) {
    super(message, details)
  }
}

/** The worker has not reported: it never started, or died. */
export class WorkerDiedError extends EnvsError {}

/** The worker ended without a report: killed by the kernel, an operator, or a crash. */
export const workerDiedError = defineError(
  'ENVS_WORKER_DIED',
  ExitCode.host,
  {
    message: 'The process that was to {verb} the root file system ended early, {how}.',
    nextStep: 'See whether the host ran out of memory, then run the command again.',
  },
  WorkerDiedError,
)

/** The programs that make the worker root of a user namespace, or mount its tree, failed. */
export const workerNotStartedError = defineError(
  'ENVS_NO_NAMESPACE',
  ExitCode.host,
  {
    message:
      'Could not {verb} the root file system: a program ended {how} before it was in the user namespace that owns the files.',
    nextStep: seeChecks('user-namespaces', 'apparmor', 'overlay'),
  },
  WorkerDiedError,
)

/** A guest replaced a folder that is a mount point. */
export const mountPointError = defineError('ENVS_MOUNT_POINT', ExitCode.conflict, {
  message: 'Could not start the environment: {path} in its files must be a folder, and is something else.',
  nextStep: 'Move it away, then enter the environment again. To find the files on the host: envs path NAME',
})
