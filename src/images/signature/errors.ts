import {defineError, EnvsError, ExitCode} from '../../errors.js'

const DISTRUST = 'Use another mirror, or the publisher itself; do not use what this mirror serves.'

const IN_UPDATE = 'Run the command again in some minutes: the mirror may be in the middle of an update.'

export class SignatureUnreadableError extends EnvsError {}

/** There is no signature to read where one must be: an error page, a broken armour, another kind of packet. */
export const signatureUnreadableError = defineError(
  'ENVS_SIGNATURE_UNREADABLE',
  ExitCode.integrity,
  {message: 'Could not read the signature of "{listing}": {reason}.', nextStep: DISTRUST},
  SignatureUnreadableError,
)

/** The file holds more than a clearsigned message; nothing vouches for the rest. */
export const clearsignedFrameError = defineError('ENVS_CLEARSIGNED_FRAME', ExitCode.integrity, {
  message: '"{listing}" must be one clearsigned message and nothing else: {reason}.',
  nextStep: DISTRUST,
})

export class BadSignatureError extends EnvsError {}

/** A trusted key made the signature, but for other bytes. */
export const badSignatureError = defineError(
  'ENVS_BAD_SIGNATURE',
  ExitCode.integrity,
  {
    message: 'The signature of "{listing}" by {signer} does not match its content.',
    nextStep: [IN_UPDATE, DISTRUST],
  },
  BadSignatureError,
)

export class UnknownSignerError extends EnvsError {}

/** No key that is pinned for this kind of listing signed it. */
export const unknownSignerError = defineError(
  'ENVS_UNKNOWN_SIGNER',
  ExitCode.integrity,
  {
    message: '"{listing}" is not signed by a trusted key: it is signed by {keyIds}.',
    nextStep: [
      'If the mirror signs with a key of its own that you trust, name the URL of the mirror and the file of the key: envs config set keyrings URL=PATH',
      DISTRUST,
    ],
  },
  UnknownSignerError,
)

/** Two contents can be made that fit the digest. */
export const weakDigestError = defineError('ENVS_WEAK_DIGEST', ExitCode.integrity, {
  message: 'The signature of "{listing}" is over a {algorithm} digest, which can be forged.',
  nextStep: DISTRUST,
})

/** As {@link weakDigestError}, where the user may take the risk. */
export const sha1DigestError = defineError('ENVS_WEAK_DIGEST', ExitCode.integrity, {
  message: 'The signature of "{listing}" is over a SHA-1 digest, which can be forged.',
  nextStep:
    'Listings of releases that are long out of support carry no other signature; --allow-sha1-signatures accepts them.',
})

/** The trusted key had expired at the signing time, was revoked, or is too weak. */
export const unusableKeyError = defineError('ENVS_UNUSABLE_KEY', ExitCode.integrity, {
  message: 'The signature of "{listing}" is by {signer}, a key that was not valid for it.',
  nextStep: DISTRUST,
})

export const signatureExpiredError = defineError('ENVS_SIGNATURE_EXPIRED', ExitCode.integrity, {
  message: 'The signature of "{listing}", made on {signedAt}, has expired.',
  nextStep: 'Use another mirror, or the publisher itself: this mirror is out of date.',
})

/** The signature time is so far in the future that it, or the clock, must be wrong. */
export const signatureFromFutureError = defineError('ENVS_SIGNATURE_FROM_FUTURE', ExitCode.integrity, {
  message: 'The signature of "{listing}" is dated {signedAt}; the clock of this host says {now}.',
  nextStep: 'Set the clock of this host, then run the command again.',
})

/** A key file of the user's own can't be used. */
export const keyringError = defineError('ENVS_KEYRING', ExitCode.host, {
  message: 'Could not use the key file "{path}": {reason}.',
  nextStep: 'Name a file of OpenPGP public keys, armoured or binary: envs config set keyrings URL=PATH',
})
