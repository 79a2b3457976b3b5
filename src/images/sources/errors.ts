import {defineError, EnvsError, ExitCode} from '../../errors.js'

/** A listing without a signature is not trusted. */
export const unsignedListingError = defineError('ENVS_UNSIGNED_LISTING', ExitCode.integrity, {
  message: '"{listing}" has no signature: the mirror has no file {signature}.',
  nextStep: 'Use a mirror that has the signatures, or the publisher itself.',
})

/** A signed listing is older than the build that the index names. */
export const replayedListingError = defineError('ENVS_REPLAYED_LISTING', ExitCode.integrity, {
  message: '"{listing}" was signed on {signedAt}, before the build {serial} that it is served for.',
  nextStep: 'Use another mirror, or the publisher itself: this mirror serves an old build as a new one.',
})

const FETCH_AGAIN = 'Remove the image, then fetch it again: envs image rm NAME; envs image pull NAME'

/** A verified listing does not contain the claimed digest. */
export const notInListingError = defineError('ENVS_NOT_IN_LISTING', ExitCode.integrity, {
  message:
    'Could not verify the image on this host: the signed listing "{listing}" has another digest for "{file}", or none.',
  nextStep: FETCH_AGAIN,
})

/** The keys for the image are unknown: another version of envs stored it. */
export const unknownSourceError = defineError('ENVS_UNKNOWN_SOURCE', ExitCode.integrity, {
  message: 'Could not check the signature: this version of envs does not know the source "{source}".',
  nextStep: FETCH_AGAIN,
})

/** Every matching source answered, and none has the image. */
export const imageNotPublishedError = defineError('ENVS_IMAGE_NOT_PUBLISHED', ExitCode.notFound, {
  message: '"{name}" is not published for {architecture}: {reason}.',
  nextStep: 'See the images that exist: envs image search {suite}',
})

export class SourcesUnreachableError extends EnvsError {}

/** No matching source could be reached. */
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
