import * as v from 'valibot'
import {ifValid} from '../../host/records.js'
import {parseUnambiguousJson} from './unambiguous-json.js'

/** The words of a signature about an image. Nothing of it counts before the signature is verified. */
export type Claim = {
  /** `sha256:…` of a manifest or an index. */
  readonly digests: readonly string[]
  /** `HOST/REPOSITORY`, and the tag or the digest where the signer states one; undefined without a name, as of cosign 3. */
  readonly name: string | undefined
}

/** @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
const payloadSchema = v.object({
  critical: v.strictObject({
    type: v.literal('cosign container image signature'),
    image: v.strictObject({'docker-manifest-digest': v.string()}),
    identity: v.strictObject({'docker-reference': v.string()}),
  }),
})

/** Parses the payload of cosign 2 and podman; undefined for anything else. */
export function parsePayload(bytes: Buffer): Claim | undefined {
  const payload = parsed(bytes, payloadSchema)
  if (payload === undefined) return undefined
  const {image, identity} = payload.critical
  return {digests: [image['docker-manifest-digest']], name: identity['docker-reference']}
}

export const STATEMENT_TYPE = 'application/vnd.in-toto+json'

/** The predicate of a signature; an attestation, such as a list of packages, has another, and vouches for less. */
const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'

/** @see https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
const statementSchema = v.object({
  _type: v.picklist(['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1']),
  predicateType: v.string(),
  subject: v.pipe(
    v.array(v.object({name: v.exactOptional(v.string()), digest: v.record(v.string(), v.string())})),
    v.minLength(1),
    v.maxLength(100),
  ),
})

/** Parses a statement of cosign 3; a text that says why it is none that envs takes. */
export function parseStatement(bytes: Buffer): Claim | string {
  const statement = parsed(bytes, statementSchema)
  if (statement === undefined) return 'one is damaged'
  const {predicateType, subject} = statement
  if (predicateType !== SIGNATURE_PREDICATE) return `one is an attestation (${predicateType.slice(0, 100)})`
  const names = new Set(subject.map(({name}) => name))
  const [name] = names
  // No known signer states two names; which one is meant for which digest would be a guess.
  if (names.size !== 1) return 'one has several names'
  return {
    digests: subject.flatMap(({digest}) =>
      digest['sha256'] === undefined ? [] : [`sha256:${digest['sha256']}`],
    ),
    name: name === '' ? undefined : name,
  }
}

function parsed<Schema extends v.GenericSchema<unknown, unknown>>(bytes: Buffer, schema: Schema) {
  try {
    return ifValid(parseUnambiguousJson(bytes.toString('utf8')), schema)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
