import type {PackagePlan, UsedPocket} from '../archive/plan.js'
import {type Sha256, sha256Of} from '../host/digest.js'
import type {ArchiveOrigin} from '../images/cache/archive-origin.js'
import type {Identity} from '../sandbox/ids/identity.js'

/** What another version made of the same packages is another image. */
const FORMAT = '1'

type Made = {
  readonly plan: PackagePlan
  readonly identity: Identity
  /** Text of its APT sources. */
  readonly sources: string
}

/**
 * The digest of all that decides what is in an image: the same ingredients make the same one. The day on which the archive
 * was signed is none of them.
 */
export function ingredientsOf({plan, identity, sources}: Made): Sha256 {
  const {architecture, variant, include, components, rootLinks, packages} = plan
  const isWhole = variant === 'minbase' && include.length === 0
  const facts = [
    ...[FORMAT, architecture, variant, include, components, rootLinks, sources],
    // Owners that scripts of other packages give are lost where such changes have no effect.
    isWhole ? 'any identity' : identity,
    packages.map(({name, version, sha256}) => [name, version, sha256]),
  ]
  return sha256Of(JSON.stringify(facts))
}

/** What is written down of an image's origin. */
export function originOf(plan: PackagePlan, ingredients: Sha256): ArchiveOrigin {
  const {variant, include, components, pockets, packages} = plan
  return {
    ingredients,
    ...{variant, include, components},
    pockets: pockets.map(pocketOf),
    packages: packages.map(({name, version, architecture}) => ({name, version, architecture})),
  }
}

function pocketOf({suite, mirror, inReleaseSha256, date, validUntil, signer}: UsedPocket) {
  return {suite, mirror, inReleaseSha256, date, validUntil: validUntil ?? null, signer}
}

/** `20261106T202141Z`: the day and time up to which the archive was taken in. */
export function imageVersion({date}: Pick<PackagePlan, 'date'>): string {
  return date.toISOString().replace(/\.\d+|[-:]/g, '')
}
