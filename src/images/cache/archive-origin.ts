import * as v from 'valibot'
import {oneOfField, orNull, type RecordOf, sha256Field, timeField} from '../../host/records.js'

/** A part of the archive as it was read. */
const archivePocketSchema = v.object({
  /** `trixie-security`. */
  suite: v.string(),
  /** Without secrets. */
  mirror: v.string(),
  inReleaseSha256: sha256Field,
  date: timeField,
  validUntil: orNull(timeField),
  signer: v.object({fingerprint: v.string(), name: v.string()}),
})

const archivePackageSchema = v.object({name: v.string(), version: v.string(), architecture: v.string()})

/** What an image was made of that a package archive has the parts for. */
export const archiveOriginSchema = v.object({
  /** Digest of all that decides what is in it. */
  ingredients: sha256Field,
  variant: oneOfField(['minbase', 'standard']),
  /** Packages that were asked for beside those of the variant, by name. */
  include: v.array(v.string()),
  components: v.array(v.string()),
  pockets: v.array(archivePocketSchema),
  /** Returns the changes, ordered by name. */
  packages: v.array(archivePackageSchema),
})

export type ArchiveOrigin = RecordOf<typeof archiveOriginSchema>
