import {defineError, EnvsError, ExitCode} from '../errors.js'

export class UnknownImageError extends EnvsError {}

/** The reference names an image that this build has no way to find. */
export const unknownImageError = defineError(
  'ENVS_UNKNOWN_IMAGE',
  ExitCode.notFound,
  {message: 'There is no image named "{name}".', nextStep: 'See the images that exist: envs image search'},
  UnknownImageError,
)

/** With --offline: the image is not in the cache, or a part of it is missing. */
export const imageOfflineError = defineError('ENVS_OFFLINE', ExitCode.notFound, {
  message: 'There is no complete image "{name}" on this host, and no server is asked with --offline.',
  nextStep: [
    'See the images on this host: envs image list',
    'Fetch the image where there is a network: envs image pull {name}',
  ],
})

export class ImageNotFoundError extends EnvsError {}

/** @public There is no file at the path of the reference. */
export const imageNotFoundError = defineError(
  'ENVS_IMAGE_NOT_FOUND',
  ExitCode.notFound,
  {
    message: 'There is no file "{path}".',
    nextStep:
      'Give the path of a root file system as a tar archive, such as ./rootfs.tar.gz, or of a saved image of containers.',
  },
  ImageNotFoundError,
)

/** Returns the error for a path without a file. */
export function noFileError(path: string, {cause}: {readonly cause?: unknown} = {}): ImageNotFoundError {
  return imageNotFoundError({path}, {cause})
}

/** The path names a folder, a device or a terminal, which cannot hold a tarball. */
export const notAnImageFileError = defineError('ENVS_NOT_AN_IMAGE_FILE', ExitCode.usage, {
  message: 'Could not read {source} as an image: {reason}.',
  nextStep: 'Give a root file system as a tar archive, such as ./rootfs.tar.gz.',
})

export const imageUnreadableError = defineError('ENVS_IMAGE_UNREADABLE', ExitCode.storage, {
  message: 'Could not read the image "{source}": {reason}.',
  nextStep: 'Check the permissions of the file and the state of its disk.',
})

/** The file was written to while it was read, so its digest does not cover the bytes that were used. */
export const imageChangedError = defineError('ENVS_IMAGE_CHANGED', ExitCode.integrity, {
  message: 'The image "{path}" changed while it was read.',
  nextStep: 'Wait until no program writes to the file, then run the command again.',
})

export class ImageReplacedError extends EnvsError {}

/** The server restarted the download with another file after part of the first file was used. */
export const imageReplacedError = defineError(
  'ENVS_IMAGE_REPLACED',
  ExitCode.network,
  {
    message: 'The server replaced {source} with another file during the download.',
    nextStep: 'Run the command again: it downloads the new file from the start.',
  },
  ImageReplacedError,
)
