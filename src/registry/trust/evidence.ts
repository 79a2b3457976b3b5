import * as v from 'valibot'
import {parseIfValid} from '../../host/records.js'
import {digestField, type OciDigest} from '../descriptor.js'
import type {Candidate} from './candidates.js'

/** A signature that was good once, and the digest that it is of. It is verified again whenever it is used. */
export type KnownSignature = {readonly digest: OciDigest; readonly candidate: Candidate}

const bytesField = v.pipe(
  v.string(),
  v.transform((text) => Buffer.from(text, 'base64')),
)
const textField = v.optional(v.string())

const evidenceSchema = v.object({
  signatures: v.array(
    v.object({
      digest: digestField,
      candidate: v.variant('kind', [
        v.object({
          kind: v.literal('attached'),
          payload: bytesField,
          signature: bytesField,
          certificate: textField,
          chain: textField,
          logEntry: textField,
        }),
        v.object({kind: v.literal('bundle'), text: v.string()}),
      ]),
    }),
  ),
})

/** Returns signatures as a file that is kept beside an image, to verify it without its registry. */
export function renderEvidence(signatures: readonly KnownSignature[]): Buffer {
  const base64 = (_: string, value: unknown) =>
    isBytes(value) ? Buffer.from(value.data).toString('base64') : value
  return Buffer.from(`${JSON.stringify({signatures}, base64, 2)}\n`)
}

/** A Buffer as `JSON.stringify` gives it to a replacer. */
function isBytes(value: unknown): value is {readonly data: number[]} {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
}

/** Parses the signatures of {@link renderEvidence}; none of a damaged file, whose registry is asked again. */
export function parseEvidence(bytes: Buffer): readonly KnownSignature[] {
  const signatures = parseIfValid(bytes.toString('utf8'), evidenceSchema)?.signatures ?? []
  return signatures.map(({digest, candidate}) => ({
    digest,
    candidate:
      candidate.kind === 'bundle'
        ? candidate
        : {
            ...candidate,
            certificate: candidate.certificate,
            chain: candidate.chain,
            logEntry: candidate.logEntry,
          },
  })) as readonly KnownSignature[]
}
