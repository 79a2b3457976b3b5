import {EnvsError, type ErrorCode, ExitCode, errnoOf} from '../errors.js'

/** A valid archive contains a member that no rootfs needs: one that leaves its folder, or exceeds a limit. */
export class RefusedMemberError extends EnvsError {
  constructor(member: string, reason: string, cause?: unknown) {
    super(`The archive member ${member} was refused: ${reason}.`, {
      code: 'ENVS_ARCHIVE_REFUSED',
      exitCode: ExitCode.integrity,
      suggestions: ['Do not use this archive unless you know who made it.'],
      cause,
    })
  }
}

/** The archive is a container image: its layers are archives inside it, which envs does not stack here. */
export class ContainerImageError extends EnvsError {
  constructor() {
    super('The archive holds the layers of a container image, not a root file system.', {
      code: 'ENVS_ARCHIVE_UNKNOWN',
      exitCode: ExitCode.integrity,
      suggestions: ['Give the tree itself, as docker export and podman export write it.'],
    })
  }
}

/** The disk has no space for the tree; nothing of the tree remains. */
export class StorageFullError extends EnvsError {
  constructor(root: string, cause?: unknown) {
    super(`There is not enough free space for the tree in ${root}.`, {
      code: 'ENVS_STORAGE_FULL',
      exitCode: ExitCode.storage,
      suggestions: ['Free some space, or set ENVS_HOME to a folder on another disk.'],
      cause,
    })
  }
}

/** The file system failed an operation on the tree with an errno that has no remedy here. */
export class StorageFailedError extends EnvsError {
  constructor(path: string, errno: string, cause: unknown) {
    super(`The file system refused ${path}: ${errno}.`, {
      code: 'ENVS_STORAGE_FAILED',
      exitCode: ExitCode.storage,
      cause,
    })
  }
}

/** The metadata journal of a tree is damaged, or written by a newer envs. */
export class LedgerUnreadableError extends EnvsError {
  constructor(path: string, cause: Error) {
    super(`${path} can't be read: ${cause.message}.`, {
      code: 'ENVS_BAD_LEDGER',
      exitCode: ExitCode.storage,
      suggestions: ['It may be from a newer envs; else move it away: the environment works without it.'],
      cause,
    })
  }
}

/** Returns an error of the file system as one with a remedy; any other error unchanged. */
export function explainErrno(error: unknown, path: string): unknown {
  const errno = error instanceof EnvsError ? undefined : errnoOf(error)
  if (errno === undefined) return error
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return new StorageFullError(path, error)
  return new StorageFailedError(path, errno, error)
}

/** The tree may change during the copy, and this host can't keep a link from leading the copy out of it. */
export class UnguardedCopyError extends EnvsError {
  constructor(from: string, cause: unknown) {
    super(`${from} can't be copied safely while programs run in it: no mount without links can be made.`, {
      code: 'ENVS_COPY_UNGUARDED',
      exitCode: ExitCode.host,
      suggestions: [
        'Stop the environment first: envs stop NAME',
        'It takes Linux 5.10 and the right to mount in a user namespace: envs doctor',
      ],
      cause,
    })
  }
}

/** A part of a tree could not be copied, for another reason than space. */
export class CopyFailedError extends EnvsError {
  constructor(from: string, cause: unknown) {
    super(`cp(1) could not copy all of ${from}.`, {
      code: 'ENVS_COPY_FAILED',
      exitCode: ExitCode.storage,
      suggestions: ['Run the command again with --verbose to see what cp(1) said.'],
      cause,
    })
  }
}

/** A part of a tree could not be read into an archive, or changed meanwhile. */
export class TreeUnreadableError extends EnvsError {
  constructor(root: string, cause: unknown) {
    super(`tar(1) could not read all of the tree in ${root}.`, {
      code: 'ENVS_EXPORT_FAILED',
      exitCode: ExitCode.storage,
      suggestions: ['Run the command again with --verbose to see what tar(1) said.'],
      cause,
    })
  }
}

/** A host program failed to compress an archive. */
export class CompressionFailedError extends EnvsError {
  constructor(program: string, status: number) {
    super(`${program}(1) could not compress the archive: it ended with status ${status}.`, {
      code: 'ENVS_EXPORT_FAILED',
      exitCode: ExitCode.host,
      suggestions: ['Choose another format with --format.'],
    })
  }
}

/** A fix could not be written, because of an entry in its place in the tree. */
export class FixFailedError extends EnvsError {
  constructor(path: string, reason: string, cause?: unknown) {
    super(`/${path} could not be written in the tree: ${reason}.`, {
      code: 'ENVS_FIX_FAILED',
      exitCode: ExitCode.storage,
      cause,
    })
  }
}

/** The failure that the worker reported, with the code and status that it would have had in this process. */
export class WorkerFailure extends EnvsError {
  constructor(
    message: string,
    details: {code: ErrorCode; exitCode: number; suggestions: readonly string[]; cause?: unknown},
  ) {
    super(message, details)
  }
}

/** The worker ended without a report: killed by the kernel, an operator, or a crash. */
export class WorkerDiedError extends EnvsError {
  constructor(verb: string, how: string, cause?: unknown) {
    super(`The process that was to ${verb} the tree ended early, ${how}.`, {
      code: 'ENVS_WORKER_DIED',
      exitCode: ExitCode.host,
      suggestions: ['Look whether the host ran out of memory, then run the command again.'],
      cause,
    })
  }
}

/** A guest replaced a folder that is a mount point. */
export class MountPointError extends EnvsError {
  constructor(path: string) {
    super(`${path} of the environment is not a folder, so nothing can be mounted on it.`, {
      code: 'ENVS_MOUNT_POINT',
      exitCode: ExitCode.conflict,
      suggestions: [`Move ${path} away inside the environment's files, then enter it again.`],
    })
  }
}
