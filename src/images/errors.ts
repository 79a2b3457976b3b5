import {EnvsError, ExitCode} from '../errors.js'

/** The reference names an image that this build has no way to find. */
export class UnknownImageError extends EnvsError {
  constructor(name: string, suggestions: readonly string[]) {
    super(`There is no image named ${JSON.stringify(name)}.`, {
      code: 'ENVS_UNKNOWN_IMAGE',
      exitCode: ExitCode.notFound,
      suggestions,
    })
  }
}

/** No file lies at the path of the reference. */
export class ImageNotFoundError extends EnvsError {
  constructor(path: string, cause: unknown) {
    super(`There is no file ${path}.`, {
      code: 'ENVS_IMAGE_NOT_FOUND',
      exitCode: ExitCode.notFound,
      suggestions: ['Give the path of a rootfs archive, such as ./rootfs.tar.gz.'],
      cause,
    })
  }
}

/** The path leads to a folder, a device or a terminal: nothing that could hold an archive. */
export class NotAnImageFileError extends EnvsError {
  constructor(what: string, suggestion: string, cause?: unknown) {
    super(`${what} can't be read as an image.`, {
      code: 'ENVS_NOT_AN_IMAGE_FILE',
      exitCode: ExitCode.usage,
      suggestions: [suggestion],
      cause,
    })
  }
}

/** The system refused to open or to read the image. */
export class ImageUnreadableError extends EnvsError {
  constructor(source: string, reason: string, cause: unknown) {
    super(`${source} can't be read: ${reason}.`, {
      code: 'ENVS_IMAGE_UNREADABLE',
      exitCode: ExitCode.storage,
      suggestions: ['See that the file may be read and that its disk is well.'],
      cause,
    })
  }
}

/** The file was written to while it was read, so nothing can be said of the bytes that were used. */
export class ImageChangedError extends EnvsError {
  constructor(path: string) {
    super(`${path} changed while it was read.`, {
      code: 'ENVS_IMAGE_CHANGED',
      exitCode: ExitCode.integrity,
      suggestions: ['Wait until nothing writes to the file any more, then run the command again.'],
    })
  }
}

/** The server sent the file anew, and not the same one, when part of the first had been used already. */
export class ImageReplacedError extends EnvsError {
  constructor(source: string) {
    super(`${source} was replaced by another file while it was downloaded.`, {
      code: 'ENVS_IMAGE_REPLACED',
      exitCode: ExitCode.network,
      suggestions: ['Run the command again: it takes the new file from its start.'],
    })
  }
}
