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

export class RegistryUnreachableError extends EnvsError {}

/** A registry, or the way to it, failed. */
export const registryUnreachableError = defineError(
  'ENVS_REGISTRY_UNREACHABLE',
  ExitCode.network,
  {
    message: 'The registry {host} failed: {reason}.',
    nextStep: 'Run the command again: it continues with the layers that are missing.',
  },
  RegistryUnreachableError,
)

/** The registry speaks HTTP without TLS, which only a setting allows. */
export const plainHttpError = defineError('ENVS_REGISTRY_PLAIN_HTTP', ExitCode.network, {
  message: 'The registry {host} does not speak HTTPS.',
  nextStep:
    'If nobody else can listen on the way to it, accept plain HTTP: envs config set registries.insecure {host}',
})

/** The registry wants credentials, or refuses those that it got. */
export const unauthorizedError = defineError('ENVS_REGISTRY_UNAUTHORIZED', ExitCode.network, {
  message: '{host} refuses access to "{what}" {credentials}.',
  nextStep: [
    'Check the name: registries refuse access to names that do not exist, too.',
    'Sign in with podman login {host} or docker login {host}; envs reads the credentials of both.',
  ],
})

/** The credentials are right, but for other names or actions. */
export const forbiddenError = defineError('ENVS_REGISTRY_FORBIDDEN', ExitCode.network, {
  message: '{host} does not allow {action} "{what}" {credentials}.',
  nextStep:
    'Ask the owner of the repository for access, or sign in with another account: podman login {host}',
})

export class NotInRegistryError extends EnvsError {}

/** There is no such repository, tag or digest. */
export const notInRegistryError = defineError(
  'ENVS_NOT_IN_REGISTRY',
  ExitCode.notFound,
  {
    message: 'There is no {what} in "{place}".',
    nextStep: 'Check the name and the tag.',
  },
  NotInRegistryError,
)

/** The registry does not list its repositories. */
export const noCatalogueError = defineError('ENVS_NO_CATALOGUE', ExitCode.notFound, {
  message: 'The registry {host} does not list its repositories, or not for you.',
  nextStep: 'Name a repository, to see its tags: envs image search {host}/NAME',
})

/** The registry counts requests, and allows no more for now. */
export const rateLimitedError = defineError('ENVS_REGISTRY_RATE_LIMITED', ExitCode.network, {
  message: '{host} allows no more requests for now: {reason}.',
  nextStep: [
    'Sign in, because accounts have a higher limit: podman login {host}, or docker login {host}',
    'Or use a mirror: envs config set registries.mirrors {host}=https://MIRROR',
  ],
})

/** The registry leads credentials to a place that is not safe for them. */
export const unsafeSignInError = defineError('ENVS_REGISTRY_UNSAFE_SIGN_IN', ExitCode.integrity, {
  message: '{host} sends its sign-in to an unsafe place: {reason}.',
  nextStep: 'Tell the operator of the registry. No credentials were sent.',
})

/** A file of credentials cannot be read. Its text is not shown. */
export const credentialsUnreadableError = defineError('ENVS_CREDENTIALS_UNREADABLE', ExitCode.host, {
  message: 'Could not read the credentials in "{path}": {reason}.',
  nextStep: 'Repair the file, or move it away and sign in again: podman login HOST, or docker login HOST',
})

/** A program that keeps credentials is missing, or failed. */
export const credentialHelperError = defineError('ENVS_CREDENTIAL_HELPER', ExitCode.host, {
  message: 'Could not get the credentials of {host} from {helper}, which "{path}" names: {reason}.',
  nextStep: [
    'See what it knows: {helper} list',
    'Or name another file of credentials in REGISTRY_AUTH_FILE.',
  ],
})

export const certificatesUnreadableError = defineError('ENVS_CERTIFICATE_FILE', ExitCode.host, {
  message: 'Could not read "{path}", a certificate of a registry: {reason}.',
  nextStep: 'Make the file readable for you, or remove it.',
})
