import type {Message, SignaturePacket} from 'openpgp'
import type {EnvsError} from '../errors.js'
import {
  badSignatureError,
  sha1DigestError,
  signatureExpiredError,
  signatureFromFutureError,
  signatureUnreadableError,
  unknownSignerError,
  unusableKeyError,
  weakDigestError,
} from './errors.js'
import type {TrustedKey} from './keyring.js'

export type VerifyOptions = {
  /** One good signature by any of them is sufficient. */
  readonly keys: readonly TrustedKey[]
  readonly now: Date
  readonly allowSha1?: boolean | undefined
}

export type Verdict = {
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
  /** The signature is newer than `now`, most likely because the clock has no battery. */
  readonly isClockBehind: boolean
}

type Judged = {readonly kind: 'good'; readonly verdict: Verdict} | Refusal

type Refusal = {
  readonly kind: 'bad' | 'unusable-key' | 'weak-digest' | 'expired' | 'from-future' | 'unknown-key'
  readonly error: EnvsError
}

/** Of several refusals, the first one in this order is reported: those that say most about the bytes. */
const ORDER = ['bad', 'unusable-key', 'weak-digest', 'expired', 'from-future', 'unknown-key'] as const

/** Clocks that use a network are more exact than this. */
const SKEW_MS = 10 * 60_000

/** A clock that restarts from its last value may be months behind; a larger difference is an error. */
const MOST_BEHIND_MS = 366 * 86_400_000

/** @see RFC 9580, section 9.5 */
const WEAK_DIGESTS: Readonly<Record<number, string>> = {1: 'MD5', 2: 'SHA-1', 3: 'RIPEMD-160'}
const SHA1 = 2

/**
 * Returns the first good signature by a trusted key; other signatures are ignored.
 *
 * @param listing - Name of the signed file, for messages.
 * @param message - The signed content; openpgp consumes a message, so each signature gets its own.
 * @throws {EnvsError} With exit code 6 if there is none.
 */
export async function judgeSignatures(
  packets: readonly SignaturePacket[],
  options: VerifyOptions & {listing: string; message: () => Promise<Message<Uint8Array> | Message<string>>},
): Promise<Verdict> {
  const refusals: Refusal[] = []
  for (const packet of packets) {
    const keys = options.keys.filter(({key}) => key.getKeys(packet.issuerKeyID).length > 0)
    for (const key of keys) {
      const judged = await judge(packet, key, options)
      if (judged.kind === 'good') return judged.verdict
      refusals.push(judged)
    }
  }
  for (const kind of ORDER) {
    const refusal = refusals.find((one) => one.kind === kind)
    if (refusal !== undefined) throw refusal.error
  }
  if (packets.length === 0)
    throw signatureUnreadableError({listing: options.listing, reason: 'it holds no signature of a document'})
  throw unknownSignerError({listing: options.listing, keyIds: packets.map(issuerOf)})
}

async function judge(
  packet: SignaturePacket,
  {key, fingerprint, name}: TrustedKey,
  {listing, message, now, allowSha1 = false}: Parameters<typeof judgeSignatures>[1],
): Promise<Judged> {
  const {config, PacketList, Signature, verify} = await import('openpgp')
  const signedAt = packet.created ?? new Date(0)
  const weak = WEAK_DIGESTS[packet.hashAlgorithm ?? 0]
  if (weak !== undefined && !(allowSha1 && packet.hashAlgorithm === SHA1)) {
    const error = weak === 'SHA-1' ? sha1DigestError({listing}) : weakDigestError({listing, algorithm: weak})
    return {kind: 'weak-digest', error}
  }
  try {
    // The key must have been valid at the signing time, not today: old listings stay valid.
    await key.getSigningKey(packet.issuerKeyID, signedAt, undefined, config)
  } catch (cause) {
    return {kind: 'unusable-key', error: unusableKeyError({listing, signer: name}, {cause})}
  }
  const only = new PacketList<SignaturePacket>()
  only.push(packet)
  const {signatures} = await verify({
    message: await message(),
    signature: new Signature(only),
    verificationKeys: key,
    format: 'binary',
    // Without a date, openpgp ignores the clock; the code below judges the times.
    date: null,
    config: {rejectMessageHashAlgorithms: new Set()},
  })
  const isGood = await signatures[0]?.verified.catch(() => false)
  if (isGood !== true) return {kind: 'bad', error: badSignatureError({listing, signer: name})}
  if (packet.getExpirationTime() <= now)
    return {kind: 'expired', error: signatureExpiredError({listing, signedAt})}
  const aheadMs = signedAt.getTime() - now.getTime()
  if (aheadMs > MOST_BEHIND_MS) {
    return {kind: 'from-future', error: signatureFromFutureError({listing, signedAt, now})}
  }
  return {kind: 'good', verdict: {signer: {fingerprint, name}, signedAt, isClockBehind: aheadMs > SKEW_MS}}
}

function issuerOf({issuerFingerprint, issuerKeyID}: SignaturePacket): string {
  const id = issuerFingerprint === null ? issuerKeyID.toHex() : Buffer.from(issuerFingerprint).toString('hex')
  return id.toUpperCase()
}
