import {defineError, ExitCode} from '../../errors.js'

/** The folder or file is none that holds images of containers. */
export const notImageFolderError = defineError('ENVS_NOT_AN_IMAGE_FILE', ExitCode.usage, {
  message: 'Could not read "{path}" as images of containers: {reason}.',
  nextStep:
    'Give a folder with an OCI layout (oci:./FOLDER), or a file as podman save and docker save write it.',
})

/** A compressed archive would fill the disk. */
export const archiveTooLargeError = defineError('ENVS_IMAGE_FILE_TOO_LARGE', ExitCode.storage, {
  message: 'The archive "{path}" unpacks to more than half of the free space in "{folder}".',
  nextStep: [
    'Free some space, with this command for example: envs prune',
    'Or unpack it on another disk, and give the uncompressed archive.',
  ],
})

/** The folder or archive has no image of that name. */
export const imageNotInFolderError = defineError('ENVS_IMAGE_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no image "{tag}" in "{path}"; it has: {tags}.',
  nextStep: 'Name one of these after a colon, or none where there is one image only.',
})

/** The folder or archive has several images, and none was named. */
export const severalImagesError = defineError('ENVS_AMBIGUOUS_IMAGE', ExitCode.usage, {
  message: 'There are several images in "{path}": {tags}.',
  nextStep: 'Name one of them: {example}',
})
