import {defineError, EnvsError, ExitCode} from '../../errors.js'

export class ImageRecordUnreadableError extends EnvsError {}

/** This version cannot read the record: a newer version wrote it, or it is damaged. */
export const imageRecordUnreadableError = defineError(
  'ENVS_BAD_IMAGE_RECORD',
  ExitCode.storage,
  {
    message: 'Could not read the image record "{path}": {reason}.',
    nextStep: 'Remove the record with envs image prune, then fetch the image again.',
  },
  ImageRecordUnreadableError,
)

/** The name or digest matches no cached image. */
export const imageNotKeptError = defineError('ENVS_IMAGE_NOT_KEPT', ExitCode.notFound, {
  message: 'There is no image "{name}" on this host.',
  nextStep: 'See the images on this host: envs image list',
})

/** A running command fetches the image, or creates an environment from it. */
export const imageInUseError = defineError('ENVS_IMAGE_IN_USE', ExitCode.conflict, {
  message: 'The image "{name}" is in use by {holders}.',
  nextStep: 'Wait for that command to end, then run this command again.',
})

export class KeptImageDamagedError extends EnvsError {}

/** The cached tarball differs from the one that was verified when it was fetched. */
export const removedDamagedImageError = defineError(
  'ENVS_KEPT_IMAGE_DAMAGED',
  ExitCode.integrity,
  {
    message: 'The image "{name}" on this host is damaged, and was removed.',
    nextStep: 'Run the command again: it downloads the image again. If the error repeats, check the disk.',
  },
  KeptImageDamagedError,
)

/** As {@link removedDamagedImageError}, while another command uses the image. */
export const damagedImageInUseError = defineError(
  'ENVS_KEPT_IMAGE_DAMAGED',
  ExitCode.integrity,
  {
    message: 'The image "{name}" on this host is damaged, and in use by another command.',
    nextStep: 'Remove the image when that command has ended: envs image rm {name}',
  },
  KeptImageDamagedError,
)
