import * as v from 'valibot'
import {orNull, type RecordOf} from '../../host/records.js'
import {digestField} from '../descriptor.js'

const signerSchema = v.variant('kind', [
  v.object({
    kind: v.literal('key'),
    /** `sha256:…` of the key as DER. */
    fingerprint: v.string(),
    /** Path of its file, or the field of the policy that holds it. */
    name: v.string(),
  }),
  v.object({
    kind: v.literal('identity'),
    /** URL of the service that identified the signer. */
    issuer: v.string(),
    /** The address, or the URL of the workflow, that it identified. */
    subject: v.string(),
  }),
])

/** The signatures that were demanded of an image, and found. Part of the records of images and of environments. */
export const signatureRecordSchema = v.object({
  /** Of the manifest or the index that is signed. */
  digest: digestField,
  /** One for each demand of `--verify` and of the policy. */
  signers: v.array(signerSchema),
  /** The policy file and its scope that decided; null without a policy file. */
  policy: orNull(v.object({file: v.string(), scope: v.string()})),
})

/** The signer of an image, as it is recorded and shown. */
export type Signer = RecordOf<typeof signerSchema>

export type SignatureRecord = RecordOf<typeof signatureRecordSchema>
