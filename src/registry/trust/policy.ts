import {errnoOf, wordsForErrno} from '../../errors.js'
import {readSmallFile} from '../../host/files.js'
import type {RegistryReference} from '../reference.js'
import {formatReference} from '../reference.js'
import {trustPolicyError, unsupportedPolicyError} from './errors.js'
import {isObject, type PolicyScope} from './policy-file.js'
import {type PublicKey, parsePublicKey, readPublicKey} from './public-key.js'
import type {Requirement, SignerRule} from './requirement.js'
import {type NameRule, parsedName} from './signed-name.js'
import {parseCertificates} from './trusted-root.js'

export type PolicyDemand = {
  readonly isRejected: boolean
  readonly requirements: readonly Requirement[]
}

type JsonObject = Readonly<Record<string, unknown>>

/** Context of the parsers of parts of a policy, for their errors. */
type Reader = {
  readonly scope: PolicyScope
  readonly image: RegistryReference
  /** The roots of which the logs of certificates are taken. */
  readonly rootPath: string
}

/**
 * Parses the requirements of a scope. Each part that is not understood is refused: it may demand more than is checked.
 *
 * @throws {@link unsupportedPolicyError} @throws {@link trustPolicyError} @throws {@link publicKeyError}
 */
export function parseRequirements(
  scope: PolicyScope,
  {image, rootPath}: Omit<Reader, 'scope'>,
): PolicyDemand {
  const reader = {scope, image, rootPath}
  const parsed = scope.requirements.map((requirement) => parseRequirement(requirement, reader))
  return {
    isRejected: parsed.includes('reject'),
    requirements: parsed.filter((each): each is Requirement => typeof each !== 'string'),
  }
}

function parseRequirement(json: unknown, reader: Reader): Requirement | 'accept' | 'reject' {
  if (!isObject(json)) throw malformed('a requirement is not an object', reader)
  const {type, ...fields} = json
  switch (type) {
    case 'insecureAcceptAnything':
      refuseOthers(fields, type, reader)
      return 'accept'
    case 'reject':
      refuseOthers(fields, type, reader)
      return 'reject'
    case 'sigstoreSigned':
      return parseSigstoreSigned(fields, reader)
    default:
      throw unsupported(`the requirement "${String(type)}"`, reader)
  }
}

function parseSigstoreSigned(json: JsonObject, reader: Reader): Requirement {
  const {keyPath, keyPaths, keyData, keyDatas, fulcio, signedIdentity, ...rest} = json
  const {rekorPublicKeyPath, rekorPublicKeyPaths, rekorPublicKeyData, rekorPublicKeyDatas, ...others} = rest
  refuseOthers(others, 'sigstoreSigned', reader)
  const keys = readKeys({keyPath, keyPaths, keyData, keyDatas}, reader)
  const logKeys =
    readKeys({rekorPublicKeyPath, rekorPublicKeyPaths, rekorPublicKeyData, rekorPublicKeyDatas}, reader) ?? []
  if ((keys === undefined) === (fulcio === undefined))
    throw malformed('sigstoreSigned must have either keys or "fulcio"', reader)
  const signer: SignerRule =
    keys === undefined ? parseFulcio(fulcio, logKeys, reader) : {kind: 'keys', keys, logKeys}
  return {signer, name: parseName(signedIdentity, reader), mayLackName: false}
}

/** Reads the keys that one of four fields names; undefined without any. */
function readKeys(fields: JsonObject, reader: Reader): readonly PublicKey[] | undefined {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  const [entry, ...more] = given
  if (entry === undefined) return undefined
  const [field, value] = entry
  if (more.length > 0) throw malformed(`"${field}" and "${more[0]?.[0]}" exclude each other`, reader)
  const texts = field.endsWith('s') ? value : [value]
  if (!isTextList(texts) || texts.length === 0) throw malformed(`"${field}" is not a text`, reader)
  return texts.map((text) =>
    /Paths?$/.test(field)
      ? readPublicKey(absolute(text, field, reader))
      : parsePublicKey(Buffer.from(text, 'base64').toString('utf8'), `${field} of ${reader.scope.file}`),
  )
}

function parseFulcio(json: unknown, logKeys: readonly PublicKey[], reader: Reader): SignerRule {
  if (!isObject(json)) throw malformed('"fulcio" is not an object', reader)
  const {caPath, caData, oidcIssuer, subjectEmail, ...others} = json
  refuseOthers(others, 'fulcio', reader)
  if (typeof oidcIssuer !== 'string' || typeof subjectEmail !== 'string')
    throw malformed('"fulcio" must have "oidcIssuer" and "subjectEmail"', reader)
  if (logKeys.length === 0) throw malformed('"fulcio" must have the key of a Rekor log beside it', reader)
  const pem = readCertificates({caPath, caData}, reader)
  if (parseCertificates(pem).length === 0) throw malformed('"fulcio" has no certificate in PEM', reader)
  return {
    kind: 'identity',
    issuer: {kind: 'exact', text: oidcIssuer},
    subject: {kind: 'exact', text: subjectEmail},
    isEmail: true,
    roots: {path: reader.rootPath, authorities: {certificates: [pem], logKeys}},
  }
}

function readCertificates({caPath, caData}: JsonObject, reader: Reader): string {
  if ((caPath === undefined) === (caData === undefined))
    throw malformed('"fulcio" must have either "caPath" or "caData"', reader)
  if (typeof caData === 'string') return Buffer.from(caData, 'base64').toString('utf8')
  if (typeof caPath !== 'string') throw malformed('"caPath" or "caData" is not a text', reader)
  try {
    return readSmallFile(absolute(caPath, 'caPath', reader))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw malformed(`"${caPath}" cannot be read (${wordsForErrno(errno)})`, reader)
  }
}

const NAME_FIELDS: Readonly<Record<string, readonly string[]>> = {
  matchExact: [],
  matchRepoDigestOrExact: [],
  matchRepository: [],
  exactReference: ['dockerReference'],
  exactRepository: ['dockerRepository'],
  remapIdentity: ['prefix', 'signedPrefix'],
}

function parseName(json: unknown, reader: Reader): NameRule {
  if (json === undefined) return {type: 'matchRepoDigestOrExact'}
  if (!isObject(json)) throw malformed('"signedIdentity" is not an object', reader)
  const {type, ...fields} = json
  const names = typeof type === 'string' && Object.hasOwn(NAME_FIELDS, type) ? NAME_FIELDS[type] : undefined
  if (names === undefined) throw unsupported(`the signedIdentity "${String(type)}"`, reader)
  refuseOthers(
    Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))),
    'signedIdentity',
    reader,
  )
  for (const name of names) {
    const value = fields[name]
    if (typeof value !== 'string' || (name.startsWith('docker') && parsedName(value) === undefined))
      throw malformed(`"${name}" of "${String(type)}" is not a name`, reader)
  }
  // Each field of the type was checked above.
  return json as NameRule
}

function absolute(path: string, field: string, reader: Reader): string {
  if (path.startsWith('/')) return path
  throw malformed(`"${field}" is not an absolute path`, reader)
}

function refuseOthers(others: JsonObject, of: string, reader: Reader): void {
  const [field] = Object.keys(others)
  if (field !== undefined) throw unsupported(`the field "${field}" of "${of}"`, reader)
}

function unsupported(demand: string, {scope: {file, scope}, image}: Reader): Error {
  return unsupportedPolicyError({file, scope, demand, image: formatReference(image)})
}

function malformed(reason: string, {scope: {file, scope}}: Reader): Error {
  return trustPolicyError({file, reason: `in "${scope}", ${reason}`})
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
