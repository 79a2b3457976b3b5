import {createHash} from 'node:crypto'
import type {Bundle} from '@sigstore/bundle'
import * as v from 'valibot'
import {parseIfValid} from '../../host/records.js'
import type {AttachedSignature, Candidate} from './candidates.js'
import {type Claim, parsePayload, parseStatement, STATEMENT_TYPE} from './claim.js'
import {parseCertificates} from './trusted-root.js'

/** A signature in the one form that is verified, whatever it was stored as. */
export type SignedContent = {
  /** The bytes that were signed. */
  readonly content: Buffer
  readonly signature: Buffer
  readonly claim: Claim
  /** Holds the evidence of a keyless signature; undefined if a key alone made it, and no log has it. */
  readonly bundle: Bundle | undefined
  /** PEM certificates between that of the signer and a root. */
  readonly chain: string | undefined
}

/** Reads a signature. @returns A clause if it is not the signature of an image: `one is damaged`. */
export async function openCandidate(candidate: Candidate): Promise<SignedContent | string> {
  switch (candidate.kind) {
    case 'unreadable':
      return candidate.reason
    case 'attached':
      return openAttached(candidate)
    case 'bundle':
      return openBundle(candidate.text)
  }
}

const DAMAGED = 'one is damaged'

async function openAttached(attached: AttachedSignature): Promise<SignedContent | string> {
  const {payload: content, signature, chain} = attached
  const claim = parsePayload(content)
  if (claim === undefined) return DAMAGED
  const bundle = attached.logEntry === undefined ? undefined : await bundleOf(attached, attached.logEntry)
  return {content, signature, claim, bundle, chain}
}

async function openBundle(text: string): Promise<SignedContent | string> {
  const bundle = await parseBundle(text)
  if (bundle === undefined) return DAMAGED
  // A signature of bytes, as of a file, says nothing about an image.
  if (bundle.content.$case !== 'dsseEnvelope') return 'one is not of an image'
  const {payload, payloadType, signatures} = bundle.content.dsseEnvelope
  const [first, ...more] = signatures
  if (first === undefined || more.length > 0 || payloadType !== STATEMENT_TYPE) return DAMAGED
  const claim = parseStatement(payload)
  if (typeof claim === 'string') return claim
  return {
    content: preAuthEncoding(payloadType, payload),
    signature: first.sig,
    claim,
    bundle,
    chain: undefined,
  }
}

/** Returns the bytes that a DSSE signature is over. @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function preAuthEncoding(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])
}

async function parseBundle(text: string): Promise<Bundle | undefined> {
  const {bundleFromJSON} = await import('@sigstore/bundle')
  try {
    return bundleFromJSON(JSON.parse(text))
  } catch {
    // The bytes are the registry's, and the library throws errors of many kinds for those that are no bundle.
    return undefined
  }
}

/** The entry of a log as cosign 2 attaches it. */
const logEntrySchema = v.object({
  SignedEntryTimestamp: v.string(),
  Payload: v.object({
    body: v.string(),
    integratedTime: v.pipe(v.number(), v.safeInteger()),
    logIndex: v.pipe(v.number(), v.safeInteger()),
    logID: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
})

/** Returns a signature of cosign 2 as a bundle: the library verifies nothing else. */
async function bundleOf(
  {payload, signature, certificate}: AttachedSignature,
  logEntry: string,
): Promise<Bundle | undefined> {
  const entry = parseIfValid(logEntry, logEntrySchema)
  if (entry === undefined) return undefined
  const {body, integratedTime, logIndex, logID} = entry.Payload
  const [leaf] = parseCertificates(certificate ?? '')
  return parseBundle(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
      verificationMaterial: {
        ...(leaf === undefined
          ? {publicKey: {hint: ''}}
          : {x509CertificateChain: {certificates: [{rawBytes: leaf.raw.toString('base64')}]}}),
        tlogEntries: [
          {
            logIndex: String(logIndex),
            logId: {keyId: Buffer.from(logID, 'hex').toString('base64')},
            kindVersion: {kind: 'hashedrekord', version: '0.0.1'},
            integratedTime: String(integratedTime),
            inclusionPromise: {signedEntryTimestamp: entry.SignedEntryTimestamp},
            canonicalizedBody: body,
          },
        ],
      },
      messageSignature: {
        messageDigest: {algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64')},
        signature: signature.toString('base64'),
      },
    }),
  )
}
