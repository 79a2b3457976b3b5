import {createPublicKey, type KeyObject, verify} from 'node:crypto'
import {type EnvsError, errnoOf, wordsForErrno} from '../../errors.js'
import {sha256Of} from '../../host/digest.js'
import {readSmallFile} from '../../host/files.js'
import {publicKeyError} from './errors.js'

/** A public key that may sign images. */
export type PublicKey = {
  readonly key: KeyObject
  /** `sha256:` and the digest of the key as DER, by which cosign and openssl name it. */
  readonly fingerprint: string
  /** The path of its file, or the field of the policy that holds it. */
  readonly name: string
}

/** An RSA key of 16,384 bits is 3 kB. */
const MOST_KEY_LENGTH = 16_384

const PEM = /-----BEGIN (?<label>[A-Z0-9 ]+)-----/g

/** @throws {@link publicKeyError} */
export function readPublicKey(path: string): PublicKey {
  let text: string
  try {
    text = readSmallFile(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw publicKeyError({name: path, reason: wordsForErrno(errno)}, {cause: error})
  }
  return parsePublicKey(text, path)
}

/**
 * Parses a PEM text with one public key.
 *
 * @param name - For messages, and for the record of what was verified.
 * @throws {@link publicKeyError}
 */
export function parsePublicKey(text: string, name: string): PublicKey {
  const refuse = (reason: string, cause?: unknown): EnvsError => publicKeyError({name, reason}, {cause})
  if (text.trim() === '') throw refuse('it is empty')
  if (text.length > MOST_KEY_LENGTH) throw refuse(`it is over ${MOST_KEY_LENGTH} bytes`)
  const labels = [...text.matchAll(PEM)].map(({groups}) => groups?.['label'] ?? '')
  // Node derives a public key from a private one; a private key in this place is a mistake that the user should hear of.
  if (labels.some((label) => label.endsWith('PRIVATE KEY'))) throw refuse('it is a private key')
  if (labels.some((label) => label.startsWith('PGP'))) throw refuse('it is an OpenPGP key')
  if (labels.length !== 1 || !/^(?:RSA )?PUBLIC KEY$/.test(labels[0] ?? ''))
    throw refuse(labels.length > 1 ? `it holds ${labels.length} keys` : 'it is not a public key in PEM')
  let key: KeyObject
  try {
    key = createPublicKey(text)
  } catch (error) {
    throw refuse('its PEM is damaged', error)
  }
  const weakness = weaknessOf(key)
  if (weakness !== undefined) throw refuse(weakness)
  return {key, fingerprint: fingerprintOf(key), name}
}

function fingerprintOf(key: KeyObject): string {
  return `sha256:${sha256Of(key.export({type: 'spki', format: 'der'}))}`
}

const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const LEAST_RSA_BITS = 2048

function weaknessOf({asymmetricKeyType, asymmetricKeyDetails: details}: KeyObject): string | undefined {
  switch (asymmetricKeyType) {
    case 'ed25519':
      return undefined
    case 'ec':
      return CURVES.has(details?.namedCurve) ? undefined : `its curve is ${details?.namedCurve}`
    case 'rsa': {
      const bits = details?.modulusLength ?? 0
      return bits >= LEAST_RSA_BITS ? undefined : `RSA of ${bits} bits is too short`
    }
    default:
      return `keys of the kind ${asymmetricKeyType} sign no images`
  }
}

/** Returns whether a signature of bytes was made by a key. */
export function isSignedBy(
  {key}: Pick<PublicKey, 'key'>,
  {content, signature}: {readonly content: Buffer; readonly signature: Buffer},
): boolean {
  return digestsOf(key).some((digest) => verify(digest, content, key, signature))
}

/** cosign 2 and podman sign with SHA-256 whatever the key; cosign 3 takes the digest of the length of the curve. */
function digestsOf({asymmetricKeyType, asymmetricKeyDetails}: KeyObject): readonly (string | null)[] {
  if (asymmetricKeyType === 'ed25519') return [null]
  if (asymmetricKeyDetails?.namedCurve === 'secp384r1') return ['sha256', 'sha384']
  if (asymmetricKeyDetails?.namedCurve === 'secp521r1') return ['sha256', 'sha512']
  return ['sha256']
}
