import {resolve} from 'node:path'
import type {Settings} from '../../config/settings.js'
import {UsageError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {formatReference, type RegistryReference} from '../reference.js'
import {imageRejectedError} from './errors.js'
import {parseRequirements} from './policy.js'
import {findScope, readPolicyFile, usualPolicyFiles} from './policy-file.js'
import {readPublicKey} from './public-key.js'
import type {Requirement, SignerRule, TextRule} from './requirement.js'
import {builtInRoot} from './trusted-root.js'

/** The signatures that an image must have: those of the policy, and those that `--verify` adds. */
export type TrustPlan = {
  /** All of them must be met. */
  readonly requirements: readonly Requirement[]
  /** Null without a policy file. */
  readonly policy: {readonly file: string; readonly scope: string} | null
}

export type TrustOptions = {
  /** Of `--verify`, each a key or an identity. */
  readonly verify: readonly string[]
  /** The setting registries.trust. */
  readonly policy: string | undefined
  /** Files that are read without the setting; see `usualPolicyFiles`. */
  readonly usualPolicies: readonly string[]
  /** The setting registries.trustedRoot, or the built-in file. */
  readonly rootPath: string
  /** Of the command: a key may have a relative path. */
  readonly workingFolder: string
}

/** Returns the demands of the settings and of this account. @param verify - Values of `--verify`. */
export function trustOptions(
  {environment, workingFolder}: Pick<Host, 'environment' | 'workingFolder'>,
  settings: Pick<Settings, 'value'>,
  verify: readonly string[],
): TrustOptions {
  const home = environment['HOME']
  return {
    verify,
    policy: settings.value('registries.trust'),
    usualPolicies: usualPolicyFiles(home === '' ? undefined : home),
    rootPath: settings.value('registries.trustedRoot') ?? builtInRoot(),
    workingFolder,
  }
}

/**
 * Plans what has to be verified for an image; no server is asked. A demand of `--verify` never replaces one of the policy.
 *
 * @throws {UsageError} For a value of `--verify` that is neither a key nor an identity.
 * @throws {@link imageRejectedError}
 * @throws {EnvsError} For a policy or a key that can't be used.
 */
export function planTrust(image: RegistryReference, options: TrustOptions): TrustPlan {
  const wishes = options.verify.map((text) => parseVerify(text, options))
  const file = readPolicyFile(options.policy, options.usualPolicies)
  if (file === undefined) return {requirements: wishes, policy: null}
  const scope = findScope(file, image)
  const {isRejected, requirements} = parseRequirements(scope, {image, rootPath: options.rootPath})
  const policy = {file: scope.file, scope: scope.scope}
  if (isRejected) throw imageRejectedError({...policy, image: formatReference(image)})
  return {requirements: [...requirements, ...wishes], policy}
}

/** `issuer=…,identity=…`, either with `-regexp`; an issuer is a URL, in which a comma is written as %2C. */
const IDENTITY =
  /^issuer(?<isIssuerPattern>-regexp)?=(?<issuer>[^,]+),identity(?<isSubjectPattern>-regexp)?=(?<subject>.+)$/

type VerifyOptions = Pick<TrustOptions, 'rootPath' | 'workingFolder'>

/** Parses a value of `--verify`: the path of a public key, or the identity of a keyless signature. */
function parseVerify(text: string, options: VerifyOptions): Requirement {
  // cosign's own signatures name the repository without the tag, and those of cosign 3 nothing.
  return {signer: parseSigner(text, options), name: {type: 'matchRepository'}, mayLackName: true}
}

function parseSigner(text: string, {rootPath, workingFolder}: VerifyOptions): SignerRule {
  const {isIssuerPattern, issuer, isSubjectPattern, subject} = IDENTITY.exec(text)?.groups ?? {}
  if (issuer !== undefined && subject !== undefined)
    return {
      kind: 'identity',
      issuer: textRule(issuer, isIssuerPattern !== undefined),
      subject: textRule(subject, isSubjectPattern !== undefined),
      isEmail: false,
      roots: {path: rootPath},
    }
  if (/^(?:issuer|identity)(?:-regexp)?=/.test(text))
    throw new UsageError(`--verify "${text}" is not an identity: it needs an issuer, then an identity.`, [
      'Write --verify issuer=https://token.actions.githubusercontent.com,identity-regexp=^https://github.com/OWNER/REPOSITORY/',
    ])
  return {kind: 'keys', keys: [readPublicKey(resolve(workingFolder, text))], logKeys: []}
}

function textRule(text: string, isPattern: boolean): TextRule {
  if (!isPattern) return {kind: 'exact', text}
  try {
    return {kind: 'pattern', pattern: new RegExp(text, 'u')}
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UsageError(`--verify: "${text}" is not a regular expression: ${error.message}.`)
  }
}
