import {EnvsError, ExitCode} from '../errors.js'

const DISTRUST = 'Use another mirror, or the publisher itself; do not use what this one serves.'

/** The signature is unreadable: an error page, a broken armour, another kind of packet. */
export class SignatureUnreadableError extends EnvsError {
  constructor(listing: string, reason: string, cause?: unknown) {
    super(`The signature of ${listing} can't be read: ${reason}.`, {
      code: 'ENVS_SIGNATURE_UNREADABLE',
      exitCode: ExitCode.integrity,
      suggestions: [DISTRUST],
      cause,
    })
  }
}

/** A file contains unsigned text besides a clearsigned message. */
export class ClearsignedFrameError extends EnvsError {
  constructor(listing: string, reason: string) {
    super(`${listing} is not a clearsigned message and nothing else: ${reason}.`, {
      code: 'ENVS_CLEARSIGNED_FRAME',
      exitCode: ExitCode.integrity,
      suggestions: [DISTRUST],
    })
  }
}

/** A trusted key made the signature, but for other bytes. */
export class BadSignatureError extends EnvsError {
  constructor(listing: string, signer: string) {
    super(`The signature of ${listing} by ${signer} does not fit its content.`, {
      code: 'ENVS_BAD_SIGNATURE',
      exitCode: ExitCode.integrity,
      suggestions: ['Run the command again in some minutes: it may be in the middle of an update.', DISTRUST],
    })
  }
}

/** No key that is pinned for this kind of listing signed it. */
export class UnknownSignerError extends EnvsError {
  constructor(listing: string, keyIds: readonly string[]) {
    super(`${listing} is not signed by a key that is trusted for it, but by ${keyIds.join(', ')}.`, {
      code: 'ENVS_UNKNOWN_SIGNER',
      exitCode: ExitCode.integrity,
      suggestions: [
        'If the mirror signs with a key of its own that you trust: envs config set keyrings URL=PATH, the URL of the mirror and the file of the key.',
        DISTRUST,
      ],
    })
  }
}

/** The signature uses a digest with known collisions. */
export class WeakDigestError extends EnvsError {
  constructor(listing: string, algorithm: string) {
    super(`The signature of ${listing} is over a ${algorithm} digest, which can be forged.`, {
      code: 'ENVS_WEAK_DIGEST',
      exitCode: ExitCode.integrity,
      suggestions:
        algorithm === 'SHA-1'
          ? ['Listings of releases long out of support carry no other; --allow-sha1-signatures accepts them.']
          : [DISTRUST],
    })
  }
}

/** The trusted key had expired at the signing time, was revoked, or is too weak. */
export class UnusableKeyError extends EnvsError {
  constructor(listing: string, signer: string, cause: unknown) {
    super(`The signature of ${listing} is by ${signer}, a key that was not valid for it.`, {
      code: 'ENVS_UNUSABLE_KEY',
      exitCode: ExitCode.integrity,
      suggestions: [DISTRUST],
      cause,
    })
  }
}

/** The expiry time in the signature has passed. */
export class SignatureExpiredError extends EnvsError {
  constructor(listing: string, signedAt: Date) {
    super(`The signature of ${listing}, made on ${signedAt.toISOString()}, has expired.`, {
      code: 'ENVS_SIGNATURE_EXPIRED',
      exitCode: ExitCode.integrity,
      suggestions: ['Use another mirror, or the publisher itself: this one is out of date.'],
    })
  }
}

/** The signature time is so far in the future that it, or the clock, must be wrong. */
export class SignatureFromFutureError extends EnvsError {
  constructor(listing: string, {signedAt, now}: {signedAt: Date; now: Date}) {
    super(
      `The signature of ${listing} is of ${signedAt.toISOString()}; the clock here says ${now.toISOString()}.`,
      {
        code: 'ENVS_SIGNATURE_FROM_FUTURE',
        exitCode: ExitCode.integrity,
        suggestions: ['Have the clock of this machine set, then run the command again.'],
      },
    )
  }
}

/** A key file of the user can't be used. */
export class KeyringError extends EnvsError {
  constructor(path: string, reason: string, cause?: unknown) {
    super(`The key file ${path} can't be used: ${reason}.`, {
      code: 'ENVS_KEYRING',
      exitCode: ExitCode.host,
      suggestions: [
        'PATH in an entry URL=PATH of the setting keyrings (ENVS_KEYRINGS) is a file of OpenPGP public keys, armoured or binary.',
      ],
      cause,
    })
  }
}
