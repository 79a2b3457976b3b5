import type {TrustedKey} from '../../src/images/signature/keyring.js'
import type {Signer} from './signer.js'

/** A test's key as if it were pinned. */
export function trusted({fingerprint, privateKey}: Signer, name = 'Test Publisher'): TrustedKey {
  return {fingerprint, name, key: privateKey.toPublic()}
}
