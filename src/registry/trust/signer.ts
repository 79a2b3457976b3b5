import {createHash, X509Certificate} from 'node:crypto'
import type {Bundle} from '@sigstore/bundle'
import type {SignedEntity, TrustMaterial} from '@sigstore/verify'
import {EnvsError} from '../../errors.js'
import {isSignedBy, type PublicKey} from './public-key.js'
import type {Signer} from './record.js'
import {type IdentityRule, isTextAllowed, type KeyRule, type SignerRule} from './requirement.js'
import type {SignedContent} from './signed-content.js'
import {logsOf, readTrustMaterial} from './trusted-root.js'

/**
 * Verifies who made a signature; what it states is not looked at.
 *
 * @returns A clause if it is not by the wanted signer: `one is by another key`.
 * @throws {@link trustedRootError}
 */
export async function verifySigner(content: SignedContent, rule: SignerRule): Promise<Signer | string> {
  return rule.kind === 'keys' ? verifyKeys(content, rule) : verifyIdentity(content, rule)
}

async function verifyKeys(content: SignedContent, {keys, logKeys}: KeyRule): Promise<Signer | string> {
  const key = keys.find((each) => isSignedBy(each, content))
  if (key === undefined) return 'one is by another key'
  if (logKeys.length > 0) {
    const reason = await verifyLogged(content, {key, logKeys})
    if (reason !== undefined) return reason
  }
  return {kind: 'key', fingerprint: key.fingerprint, name: key.name}
}

const NOT_LOGGED = 'one is in no transparency log that the policy names'

async function verifyLogged(
  {bundle, content}: SignedContent,
  {key, logKeys}: {readonly key: PublicKey; readonly logKeys: readonly PublicKey[]},
): Promise<string | undefined> {
  if (bundle === undefined || bundle.verificationMaterial.content.$case !== 'publicKey') return NOT_LOGGED
  const material: TrustMaterial = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    ctlogs: [],
    tlogs: logsOf(logKeys),
    publicKey: () => ({publicKey: key.key, validFor: () => true}),
  }
  const verified = await verifyBundle(withPromisesAlone(bundle), {
    ...{content, material},
    thresholds: {tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0},
  })
  return typeof verified === 'string' ? NOT_LOGGED : undefined
}

async function verifyIdentity(
  {bundle, content, chain}: SignedContent,
  {issuer, subject, isEmail, roots}: IdentityRule,
): Promise<Signer | string> {
  const leaf = bundle === undefined ? undefined : leafOf(bundle)
  if (bundle === undefined || leaf === undefined) return 'one has no certificate'
  const isOfPolicy = roots.authorities !== undefined
  const verified = await verifyBundle(isOfPolicy ? withPromisesAlone(bundle) : bundle, {
    content,
    material: await readTrustMaterial(roots, {chain}),
    // A policy names no logs of certificates.
    thresholds: {tlogThreshold: 1, ctlogThreshold: isOfPolicy ? 0 : 1, timestampThreshold: 1},
  })
  if (typeof verified === 'string') return verified
  const by = verified.issuer === undefined || verified.subject === undefined ? undefined : verified
  if (by?.issuer === undefined || by.subject === undefined) return 'one is by an unnamed signer'
  if (isEmail && leaf.subjectAltName !== `email:${by.subject}`)
    return `one is by "${by.subject.slice(0, 200)}", which is no e-mail address`
  if (!isTextAllowed(by.issuer, issuer) || !isTextAllowed(by.subject, subject))
    return `one is by "${by.subject.slice(0, 200)}" of "${by.issuer.slice(0, 200)}"`
  return {kind: 'identity', issuer: by.issuer, subject: by.subject}
}

function leafOf({verificationMaterial: {content}}: Bundle): X509Certificate | undefined {
  const der =
    content.$case === 'certificate'
      ? content.certificate.rawBytes
      : content.$case === 'x509CertificateChain'
        ? content.x509CertificateChain.certificates[0]?.rawBytes
        : undefined
  try {
    return der === undefined ? undefined : new X509Certificate(der)
  } catch {
    // OpenSSL's errors have no type of their own.
    return undefined
  }
}

/** A proof of inclusion names its log, and a policy has the keys of logs alone; the promise of the log is by its key. */
function withPromisesAlone(bundle: Bundle): Bundle {
  const {verificationMaterial} = bundle
  const tlogEntries = verificationMaterial.tlogEntries.map((entry) =>
    entry.inclusionPromise === undefined ? entry : {...entry, inclusionProof: undefined},
  )
  return {...bundle, verificationMaterial: {...verificationMaterial, tlogEntries}} as Bundle
}

type Verified = {readonly issuer: string | undefined; readonly subject: string | undefined}

/** Texts for the codes of the library. @see VerificationError of @sigstore/verify */
const REASONS: Readonly<Record<string, string>> = {
  CERTIFICATE_ERROR: 'the certificate of one is by no known authority, or was not valid then',
  SIGNATURE_ERROR: 'one is of other bytes',
  TIMESTAMP_ERROR: 'one has no time that a known authority states',
  TLOG_BODY_ERROR: 'the entry of one in the transparency log is of another signature',
  TLOG_ERROR: 'one is in no known transparency log',
  TLOG_INCLUSION_PROMISE_ERROR: 'one is in no known transparency log',
  TLOG_INCLUSION_PROOF_ERROR: 'one is in no known transparency log',
  TLOG_MISSING_INCLUSION_ERROR: 'one is in no known transparency log',
}

async function verifyBundle(
  bundle: Bundle,
  {
    content,
    material,
    thresholds,
  }: {
    readonly content: Buffer
    readonly material: TrustMaterial
    readonly thresholds: Readonly<Record<'tlogThreshold' | 'ctlogThreshold' | 'timestampThreshold', number>>
  },
): Promise<Verified | string> {
  const {toSignedEntity, VerificationError, Verifier} = await import('@sigstore/verify')
  try {
    const entity = withContentDigest(toSignedEntity(bundle, content), content)
    const {identity} = new Verifier(material, thresholds).verify(entity)
    return {issuer: identity?.extensions?.issuer, subject: identity?.subjectAlternativeName}
  } catch (error) {
    if (error instanceof EnvsError) throw error
    // The bytes are the registry's: whatever the library throws about them, the signature is not good.
    return (error instanceof VerificationError ? REASONS[error.code] : undefined) ?? 'one is damaged'
  }
}

/**
 * Accepts an entry of a log with the digest of the signed bytes. Newer signers of statements record these, as for files; version 3
 * of the library compares the digest of the statement alone.
 *
 * @see https://github.com/sigstore/sigstore-conformance, dsse-with-hashedrekord
 */
function withContentDigest(entity: SignedEntity, content: Buffer): SignedEntity {
  const {signature} = entity
  const digest = createHash('sha256').update(content).digest()
  return {
    ...entity,
    signature: {
      signature: signature.signature,
      compareDigest: (other) => signature.compareDigest(other) || digest.equals(other),
      compareSignature: (other) => signature.compareSignature(other),
      verifySignature: (key) => signature.verifySignature(key),
    },
  }
}
