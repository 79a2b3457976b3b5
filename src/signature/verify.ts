import type {Message, Signature, SignaturePacket} from 'openpgp'
import {armouredBlocks, isBinary} from './armour.js'
import {clearsignedText} from './clearsigned-frame.js'
import {signatureUnreadableError} from './errors.js'
import {judgeSignatures, type Verdict, type VerifyOptions} from './verdict.js'

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
