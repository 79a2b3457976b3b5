import type {PublicKey} from './public-key.js'
import type {NameRule} from './signed-name.js'

/** A signature that an image must have before it is used. */
export type Requirement = {
  readonly signer: SignerRule
  readonly name: NameRule
  /** Whether a signature without a name is enough: a bundle of cosign 3 states the digest alone. */
  readonly mayLackName: boolean
}

export type SignerRule = KeyRule | IdentityRule

export type KeyRule = {
  readonly kind: 'keys'
  /** One of them must have signed. */
  readonly keys: readonly PublicKey[]
  /** Of transparency logs, one of which must have recorded the signature; none if there are none here. */
  readonly logKeys: readonly PublicKey[]
}

/** The owner of a keyless signature, by the words of its certificate. */
export type IdentityRule = {
  readonly kind: 'identity'
  readonly issuer: TextRule
  readonly subject: TextRule
  /** The subject must be an e-mail address, as containers-policy.json(5) has it. */
  readonly isEmail: boolean
  readonly roots: RootSource
}

/** A pattern matches any part of a text, as those of cosign do. */
export type TextRule =
  | {readonly kind: 'exact'; readonly text: string}
  | {readonly kind: 'pattern'; readonly pattern: RegExp}

/** The origin of the roots of keyless signatures. */
export type RootSource = {
  /** A `trusted_root.json`. */
  readonly path: string
  /** Those of a policy, in place of the ones in the file; logs of certificates are those of the file. */
  readonly authorities?: {readonly certificates: readonly string[]; readonly logKeys: readonly PublicKey[]}
}

export function isTextAllowed(text: string, rule: TextRule): boolean {
  return rule.kind === 'exact' ? text === rule.text : rule.pattern.test(text)
}

/** Returns who must have signed, as a clause. */
export function describeSigner(rule: SignerRule): string {
  if (rule.kind === 'keys')
    return `the key ${rule.keys.map(({name}) => `"${name}"`).join(' or ')} must have signed it`
  return `${describeText(rule.subject)} of ${describeText(rule.issuer)} must have signed it`
}

function describeText(rule: TextRule): string {
  return rule.kind === 'exact' ? `"${rule.text}"` : `/${rule.pattern.source}/`
}
