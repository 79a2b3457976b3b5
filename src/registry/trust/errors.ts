import {defineError, EnvsError, ExitCode} from '../../errors.js'

const SEE_POLICY =
  'See which images the file allows, or name another file: envs config set registries.trust PATH'

/** A key that a flag or a policy names can't be used. */
export const publicKeyError = defineError('ENVS_PUBLIC_KEY', ExitCode.host, {
  message: 'Could not use the public key "{name}": {reason}.',
  nextStep: 'Name a PEM file with one public key, such as the cosign.pub of the publisher.',
})

/** The roots of keyless signatures can't be used. */
export const trustedRootError = defineError('ENVS_TRUSTED_ROOT', ExitCode.host, {
  message: 'Could not use the Sigstore root "{path}": {reason}.',
  nextStep:
    'Name a trusted_root.json, or use the root that envs has: envs config unset registries.trustedRoot',
})

/** A policy file can't be read, or is ambiguous. */
export const trustPolicyError = defineError('ENVS_TRUST_POLICY', ExitCode.host, {
  message: 'Could not use the trust policy "{file}": {reason}.',
  nextStep:
    'Repair the file, or name another that envs shall use in its place: envs config set registries.trust PATH',
})

/** A policy demands for this image what envs can't check: envs refuses, because it must not check less. */
export const unsupportedPolicyError = defineError('ENVS_TRUST_POLICY_UNSUPPORTED', ExitCode.integrity, {
  message:
    'Could not check {image}: the trust policy "{file}" has {demand} in its scope "{scope}", which envs does not support.',
  nextStep: 'Name a policy for envs in the place of this file: envs config set registries.trust PATH',
})

/** A policy rejects all images of a scope. */
export const imageRejectedError = defineError('ENVS_IMAGE_REJECTED', ExitCode.integrity, {
  message: 'The trust policy "{file}" rejects {image}: its scope is "{scope}".',
  nextStep: SEE_POLICY,
})

export class ImageUnsignedError extends EnvsError {}

/** A signature is demanded, and there is none at all. */
export const imageUnsignedError = defineError(
  'ENVS_IMAGE_UNSIGNED',
  ExitCode.integrity,
  {
    message: '{image} is not signed: {demand}.',
    nextStep: [
      'Ask the publisher for a tag that is signed; envs reads signatures of cosign and podman.',
      'Without --verify, and with a trust policy that allows it, envs takes unsigned images.',
    ],
  },
  ImageUnsignedError,
)

export class ImageSignatureError extends EnvsError {}

/** There are signatures, and none is what is demanded. */
export const imageSignatureError = defineError(
  'ENVS_IMAGE_SIGNATURE',
  ExitCode.integrity,
  {
    message: 'No signature of {image} is good: {reasons}; {demand}.',
    nextStep: 'Compare the key, the identity and the name of the image with those that the publisher states.',
  },
  ImageSignatureError,
)
