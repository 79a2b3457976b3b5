import type {Message, Signature, SignaturePacket} from 'openpgp'
import type {EnvsError} from '../../errors.js'
import {armouredBlocks, isBinary} from './armour.js'
import {
  badSignatureError,
  clearsignedFrameError,
  sha1DigestError,
  signatureExpiredError,
  signatureFromFutureError,
  signatureUnreadableError,
  unknownSignerError,
  unusableKeyError,
  weakDigestError,
} from './errors.js'
import type {TrustedKey} from './keyring.js'

export type NamedBytes = {readonly name: string; readonly bytes: Buffer}

export type Verified = Verdict & {
  /** Exactly the signed bytes; of a clearsigned text with LF line ends and without trailing blanks. */
  readonly data: Buffer
}

/** Listings have one or two signatures, Debian's three; each costs a computation. */
const MOST_SIGNATURES = 16

/**
 * Verifies a listing by a detached signature, armoured or binary.
 *
 * @throws {SignatureUnreadableError} @throws {BadSignatureError} @throws {UnknownSignerError}
 * @throws {@link weakDigestError} @throws {@link unusableKeyError} @throws {@link signatureExpiredError}
 * @throws {@link signatureFromFutureError}
 * @see RFC 9580, section 10.4
 */
export async function verifyDetached(
  {listing, signature}: {listing: NamedBytes; signature: NamedBytes},
  options: VerifyOptions,
): Promise<Verified> {
  const {createMessage, enums, readSignature} = await import('openpgp')
  const {name} = listing
  const parts = isBinary(signature.bytes)
    ? [await parsed(name, () => readSignature({binarySignature: signature.bytes}))]
    : await armouredSignatures(signature.bytes.toString('latin1'), name)
  // A text signature would not cover the line ends.
  const packets = await packetsIn(name, parts, enums.signature.binary)
  const message = (): Promise<Message<Uint8Array>> => createMessage({binary: new Uint8Array(listing.bytes)})
  return {...(await judgeSignatures(packets, {...options, listing: name, message})), data: listing.bytes}
}

/**
 * Verifies a listing with an inline signature, such as `InRelease` and `*.sjson`.
 *
 * @throws {@link clearsignedFrameError} @throws {EnvsError} As `verifyDetached`.
 * @see RFC 9580, section 7
 */
export async function verifyCleartext(listing: NamedBytes, options: VerifyOptions): Promise<Verified> {
  const {createMessage, enums, readCleartextMessage} = await import('openpgp')
  const {name} = listing
  const cleartextMessage = clearsignedText(listing.bytes, name)
  const text = (await parsed(name, () => readCleartextMessage({cleartextMessage}))).getText()
  const packets = await packetsIn(
    name,
    await armouredSignatures(cleartextMessage, name),
    enums.signature.text,
  )
  const message = (): Promise<Message<string>> => createMessage({text})
  const verdict = await judgeSignatures(packets, {...options, listing: name, message})
  return {...verdict, data: Buffer.from(text, 'utf8')}
}

async function armouredSignatures(text: string, listing: string): Promise<Signature[]> {
  const {readSignature} = await import('openpgp')
  const blocks = armouredBlocks(text, 'SIGNATURE')
  if (blocks === undefined) throw signatureUnreadableError({listing, reason: 'an armoured block has no end'})
  return parsed(listing, () =>
    Promise.all(blocks.map((armoredSignature) => readSignature({armoredSignature}))),
  )
}

/** @throws {SignatureUnreadableError} For all errors of openpgp, which have neither a class nor a code. */
async function parsed<T>(listing: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw signatureUnreadableError({listing, reason: 'it is not in the format of OpenPGP'}, {cause: error})
  }
}

async function packetsIn(
  listing: string,
  parts: readonly Signature[],
  type: SignaturePacket['signatureType'],
): Promise<SignaturePacket[]> {
  const {SignaturePacket: Packet} = await import('openpgp')
  // Packets of unknown kinds stay in openpgp's list as another class.
  const packets = parts
    .flatMap((part) => [...part.packets])
    .filter((packet) => packet instanceof Packet && packet.signatureType === type)
  if (packets.length > MOST_SIGNATURES) {
    throw signatureUnreadableError({listing, reason: `it holds more than ${MOST_SIGNATURES} signatures`})
  }
  return packets
}

const BEGIN_MESSAGE = '-----BEGIN PGP SIGNED MESSAGE-----'
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----'
const END_SIGNATURE = '-----END PGP SIGNATURE-----'

/**
 * Decodes a file that must be one clearsigned message, surrounded only by blank lines.
 *
 * An OpenPGP parser reads the first message and ignores text before and after it, and a second message. A
 * program that read the whole file would treat that text as signed.
 *
 * @throws {@link clearsignedFrameError}
 * @see RFC 9580, section 7: a signed line that begins with a hyphen is written with `- ` before it.
 */
export function clearsignedText(bytes: Buffer, name: string): string {
  const refuse = (reason: string) => clearsignedFrameError({listing: name, reason})
  const text = decode(bytes, refuse)
  if (text.startsWith('\uFEFF')) throw refuse('it begins with a byte order mark')
  const lines = text.split('\n').map((line) => line.trimEnd())
  const begin = lines.findIndex((line) => line !== '')
  if (lines[begin] !== BEGIN_MESSAGE) throw refuse('it does not begin as a clearsigned message')
  const signature = lines.indexOf(BEGIN_SIGNATURE)
  const end = lines.indexOf(END_SIGNATURE)
  if (signature === -1 || end < signature) throw refuse('its signature is cut off')
  if (lines.slice(begin + 1, signature).some((line) => /^-(?! )/.test(line) && line !== '-')) {
    throw refuse('one of its lines begins like an armour')
  }
  if (lines.slice(signature + 1, end).some((line) => line.startsWith('-'))) {
    throw refuse('a line of its signature begins like an armour')
  }
  if (lines.slice(end + 1).some((line) => line !== '')) throw refuse('there is text after the message')
  return text
}

function decode(bytes: Buffer, refuse: (reason: string) => EnvsError): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) throw refuse('it is not UTF-8')
    throw error
  }
}

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
async function judgeSignatures(
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
