import {defineError, EnvsError, ExitCode} from '../../errors.js'

/** A listing without its signature can't be believed. */
export const unsignedListingError = defineError('ENVS_UNSIGNED_LISTING', ExitCode.integrity, {
  message: '"{listing}" has no signature: the mirror has no file {signature}.',
  nextStep: 'Use a mirror that has the signatures too, or the publisher itself.',
})

/** A signed listing is of an older build than the index says there is. */
export const replayedListingError = defineError('ENVS_REPLAYED_LISTING', ExitCode.integrity, {
  message: '"{listing}" was signed on {signedAt}, before the build {serial} that it is served for.',
  nextStep: 'Use another mirror, or the publisher itself: this mirror serves an old build as a new one.',
})

const FETCH_AGAIN = 'Remove the image and fetch it again: envs image rm, then envs image pull'

/** A listing that verifies does not hold what an image is claimed to be. */
export const notInListingError = defineError('ENVS_NOT_IN_LISTING', ExitCode.integrity, {
  message: '"{listing}" does not list "{file}" with the digest of the image on this host.',
  nextStep: FETCH_AGAIN,
})

/** It is not known which keys sign for the image: another version of envs stored it. */
export const unknownSourceError = defineError('ENVS_UNKNOWN_SOURCE', ExitCode.integrity, {
  message: 'Could not check the signature: this version of envs does not know the source "{source}".',
  nextStep: FETCH_AGAIN,
})

/** Every source that could have it answered, and none has. */
export const imageNotPublishedError = defineError('ENVS_IMAGE_NOT_PUBLISHED', ExitCode.notFound, {
  message: '"{name}" is not published for {architecture}: {reason}.',
  nextStep: 'See the images that exist: envs image search {suite}',
})

export class SourcesUnreachableError extends EnvsError {}

/** No source that could have it could be asked. */
export const sourcesUnreachableError = defineError(
  'ENVS_SOURCES_UNREACHABLE',
  ExitCode.network,
  {
    message: 'Could not look up "{name}": {tried}.',
    nextStep: [
      'An image that was fetched before needs no network: envs image list',
      'A root file system that you have as a tar archive needs none either: envs create ./rootfs.tar.gz',
    ],
  },
  SourcesUnreachableError,
)
