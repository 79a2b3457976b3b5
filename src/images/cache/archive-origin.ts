import {isSha256, type Sha256} from '../../host/digest.js'
import type {JsonFields} from '../../host/json-fields.js'

/** What an image was made of that a package archive has the parts for. */
export type ArchiveOrigin = {
  /** Digest of all that decides what is in it. */
  readonly ingredients: Sha256
  readonly variant: 'minbase' | 'standard'
  /** Packages that were asked for beside those of the variant, by name. */
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly pockets: readonly ArchivePocket[]
  /** By name. */
  readonly packages: readonly ArchivePackage[]
}

/** A part of the archive as it was read. */
export type ArchivePocket = {
  /** `trixie-security`. */
  readonly suite: string
  /** Without secrets. */
  readonly mirror: string
  readonly inReleaseSha256: Sha256
  readonly date: Date
  readonly validUntil: Date | null
  readonly signer: {readonly fingerprint: string; readonly name: string}
}

export type ArchivePackage = {readonly name: string; readonly version: string; readonly architecture: string}

/** Reads it as `JSON.stringify` wrote it. @throws What `wrong` of the fields gives. */
export function readArchiveOrigin(fields: JsonFields): ArchiveOrigin {
  return {
    ingredients: digestIn(fields, 'ingredients'),
    variant: fields.oneOf('variant', ['minbase', 'standard']),
    include: fields.strings('include'),
    components: fields.strings('components'),
    pockets: fields.list('pockets').map(readPocket),
    packages: fields.list('packages').map((each) => ({
      name: each.string('name'),
      version: each.string('version'),
      architecture: each.string('architecture'),
    })),
  }
}

function readPocket(fields: JsonFields): ArchivePocket {
  const signer = fields.object('signer')
  return {
    suite: fields.string('suite'),
    mirror: fields.string('mirror'),
    inReleaseSha256: digestIn(fields, 'inReleaseSha256'),
    date: fields.date('date'),
    validUntil: fields.orNull('validUntil', (own) => own.date('validUntil')),
    signer: {fingerprint: signer.string('fingerprint'), name: signer.string('name')},
  }
}

function digestIn(fields: JsonFields, key: string): Sha256 {
  const text = fields.string(key)
  if (!isSha256(text)) throw fields.wrong(key, 'a SHA-256 digest')
  return text
}
