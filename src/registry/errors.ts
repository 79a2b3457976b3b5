import {defineError, EnvsError, ExitCode} from '../errors.js'

export const badReferenceError = defineError('ENVS_BAD_REFERENCE', ExitCode.usage, {
  message: '"{text}" is not the name of an image in a registry: {reason}.',
  nextStep: 'Write HOST/NAME:TAG, such as docker.io/library/debian:12 or ghcr.io/owner/tool:1.2',
})

/** A manifest or a configuration is malformed, or contradicts itself. */
export const badManifestError = defineError('ENVS_BAD_MANIFEST', ExitCode.integrity, {
  message: 'Could not use {source}: {reason}.',
  nextStep: 'Ask the publisher for another tag: the image is damaged, or no image that can be run.',
})

export class NoPlatformError extends EnvsError {}

/** An index has no image for a platform. */
export const noPlatformError = defineError(
  'ENVS_NO_PLATFORM',
  ExitCode.notFound,
  {
    message: 'There is no {wanted} in {source}; its platforms: {platforms}.',
    nextStep: 'Name one of these platforms, which then runs under QEMU: --arch ARCHITECTURE',
  },
  NoPlatformError,
)
