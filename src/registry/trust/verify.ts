import type {BlobSource} from '../blob-source.js'
import type {OciDigest} from '../descriptor.js'
import {formatReference, type RegistryReference} from '../reference.js'
import {type Candidate, readCandidates} from './candidates.js'
import {imageSignatureError, imageUnsignedError} from './errors.js'
import type {KnownSignature} from './evidence.js'
import type {TrustPlan} from './plan.js'
import type {SignatureRecord, Signer} from './record.js'
import {describeSigner, type Requirement} from './requirement.js'
import {openCandidate, type SignedContent} from './signed-content.js'
import {isNameAllowed} from './signed-name.js'
import {verifySigner} from './signer.js'

/** Why an image was taken. */
export type ImageTrust = {
  /** `signed`: by all who must have; `digest`: the user named its digest; `registry`: its registry alone vouches for it. */
  readonly kind: 'signed' | 'digest' | 'registry'
  /** Null unless it is signed. */
  readonly signature: ImageSignature | null
}

/** The signatures of an image: what is recorded and shown, and the bytes. */
export type ImageSignature = SignatureRecord & {readonly evidence: readonly KnownSignature[]}

export type VerifyImageOptions = {
  readonly source: BlobSource
  /** As the user named the image: a mirror serves what was signed under this name. */
  readonly reference: RegistryReference
  /** Of the index in which the manifest stands, if it stands in one: its signature vouches for its manifests. */
  readonly indexDigest: OciDigest | undefined
  readonly manifestDigest: OciDigest
  readonly plan: TrustPlan
  /** Signatures that are here already, tried before the source is asked. */
  readonly known?: readonly KnownSignature[]
  readonly signal: AbortSignal
}

/**
 * Verifies that an image has the signatures that the user and the policy demand, before any of its layers is used.
 *
 * @throws {ImageUnsignedError} @throws {ImageSignatureError}
 * @throws {@link trustedRootError} @throws {EnvsError} If the source fails.
 */
export async function verifyImage(options: VerifyImageOptions): Promise<ImageTrust> {
  const {plan, reference, indexDigest, manifestDigest} = options
  const image = formatReference(reference)
  const {policy} = plan
  if (plan.requirements.length === 0)
    return {kind: reference.digest === undefined ? 'registry' : 'digest', signature: null}
  const digests = indexDigest === undefined ? [manifestDigest] : [indexDigest, manifestDigest]
  const candidates = digests.map((digest) => ({digest, signatures: remembered(options, digest)}))
  const signatures: Signature[] = []
  for (const requirement of plan.requirements)
    signatures.push(await requireSignature(candidates, {requirement, reference, image}))
  const [first] = signatures
  if (first === undefined) throw new Error('a demand without a signature')
  return {
    kind: 'signed',
    signature: {
      digest: first.digest,
      signers: signatures.map(({signer}) => signer),
      policy,
      evidence: signatures.map(({digest, candidate}) => ({digest, candidate})),
    },
  }
}

type Signature = KnownSignature & {readonly signer: Signer}

/** A signature as it is stored, and as it is verified; a clause if it is not the signature of an image. */
type Opened = {readonly candidate: Candidate; readonly content: SignedContent | string}

type Signatures = {readonly digest: OciDigest; readonly signatures: AsyncIterable<Opened>}

async function requireSignature(
  candidates: readonly Signatures[],
  {
    requirement,
    reference,
    image,
  }: {readonly requirement: Requirement; readonly reference: RegistryReference; readonly image: string},
): Promise<Signature> {
  const reasons = new Set<string>()
  for (const {digest, signatures} of candidates) {
    for await (const {candidate, content} of signatures) {
      const verdict = await judge(content, {digest, requirement, reference})
      if (typeof verdict !== 'string') return {signer: verdict, digest, candidate}
      reasons.add(verdict)
    }
  }
  const demand = describeSigner(requirement.signer)
  if (reasons.size === 0) throw imageUnsignedError({image, demand})
  throw imageSignatureError({image, demand, reasons: [...reasons].slice(0, MOST_REASONS).join(', ')})
}

/** In a message. */
const MOST_REASONS = 5

async function judge(
  content: SignedContent | string,
  {
    digest,
    requirement: {signer: rule, name, mayLackName},
    reference,
  }: {
    readonly digest: OciDigest
    readonly requirement: Requirement
    readonly reference: RegistryReference
  },
): Promise<Signer | string> {
  if (typeof content === 'string') return content
  const signer = await verifySigner(content, rule)
  if (typeof signer === 'string') return signer
  // From here on the words are the signer's; before, they were the registry's.
  const {claim} = content
  if (!claim.digests.includes(digest)) return 'one is of another image'
  if (claim.name === undefined)
    return mayLackName ? signer : 'one states no name, and the policy demands one (cosign 3 writes none)'
  if (!isNameAllowed(claim.name, name, reference)) return `one is for "${claim.name.slice(0, 300)}"`
  return signer
}

/** Reads each signature once, and only as far as it is needed, however often it is asked for. */
function remembered(
  {source, known = [], signal}: VerifyImageOptions,
  digest: OciDigest,
): AsyncIterable<Opened> {
  const read: Opened[] = []
  const here = known.filter((each) => each.digest === digest).map(({candidate}) => candidate)
  const rest = withFirst(here, readCandidates(source, digest, {signal}))
  return {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; ; at++) {
        const opened = read[at]
        if (opened !== undefined) {
          yield opened
          continue
        }
        const {value, done} = await rest.next()
        if (done === true) return
        const next = {candidate: value, content: await openCandidate(value)}
        read.push(next)
        yield next
      }
    },
  }
}

async function* withFirst(
  first: readonly Candidate[],
  rest: AsyncGenerator<Candidate>,
): AsyncGenerator<Candidate, undefined> {
  yield* first
  yield* rest
  return undefined
}
