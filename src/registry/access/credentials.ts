import {join} from 'node:path'
import * as v from 'valibot'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import {readSmallFile} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {capture} from '../../host/process.js'
import {ifValid, parseIfValid} from '../../host/records.js'
import {credentialHelperError, credentialsUnreadableError} from '../errors.js'
import {DOCKER_HUB} from '../reference.js'

/** Credentials of a user for a registry. No message and no argument of a program holds their secrets. */
export type Credentials = {
  /** The file that has them, or names the program that has them. */
  readonly path: string
} & (
  | {readonly kind: 'password'; readonly user: string; readonly password: string}
  /** For the token service: it gives tokens for it. */
  | {readonly kind: 'identity'; readonly token: string}
  /** For the registry itself. */
  | {readonly kind: 'bearer'; readonly token: string}
)

type CredentialsHost = Pick<Host, 'environment' | 'uid' | 'which'>

/** The registry and the repository, for whose names files may have different accounts. */
type CredentialScope = {readonly host: string; readonly repository: string; readonly signal: AbortSignal}

/**
 * Finds credentials where podman and Docker keep them; the first file that knows the registry decides.
 *
 * @throws {@link credentialsUnreadableError} @throws {@link credentialHelperError}
 * @see containers-auth.json(5)
 */
export async function findCredentials(
  scope: CredentialScope,
  host: CredentialsHost,
): Promise<Credentials | undefined> {
  for (const path of credentialFiles(host)) {
    const file = readFile(path, {isRequired: path === host.environment['REGISTRY_AUTH_FILE']})
    const found = file && (await lookUp(file, {...scope, path, caller: host}))
    if (found !== undefined) return found
  }
  return undefined
}

/** Returns the files that may hold credentials. */
function credentialFiles({environment, uid}: Pick<Host, 'environment' | 'uid'>): readonly string[] {
  const own = environment['REGISTRY_AUTH_FILE']
  if (own) return [own]
  const home = environment['HOME']
  const runtime = environment['XDG_RUNTIME_DIR'] || `/run/user/${uid}`
  const configuration = environment['XDG_CONFIG_HOME'] || (home && join(home, '.config'))
  const docker = environment['DOCKER_CONFIG'] || (home && join(home, '.docker'))
  return [
    join(runtime, 'containers/auth.json'),
    ...(configuration ? [join(configuration, 'containers/auth.json')] : []),
    ...(docker ? [join(docker, 'config.json')] : []),
  ]
}

const textField = v.exactOptional(v.string())

const entrySchema = v.object({
  auth: textField,
  username: textField,
  password: textField,
  identitytoken: textField,
  registrytoken: textField,
})

const fileSchema = v.object({
  auths: v.exactOptional(v.record(v.string(), v.unknown()), {}),
  credHelpers: v.exactOptional(v.record(v.string(), v.string()), {}),
  credsStore: textField,
})

type CredentialsFile = v.InferOutput<typeof fileSchema>

function readFile(path: string, {isRequired}: {isRequired: boolean}): CredentialsFile | undefined {
  let text: string
  try {
    text = readSmallFile(path)
  } catch (error) {
    if (!isRequired && isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw credentialsUnreadableError({path, reason: wordsForErrno(errno)}, {cause: error})
  }
  const file = parseIfValid(text, fileSchema)
  // A parser would quote the text.
  if (file === undefined)
    throw credentialsUnreadableError({path, reason: 'it is not a JSON file of credentials'})
  return file
}

type LookUp = CredentialScope & {readonly path: string; readonly caller: CredentialsHost}

async function lookUp(file: CredentialsFile, where: LookUp): Promise<Credentials | undefined> {
  const {host, repository, path} = where
  const names = namesOf(host)
  const chosen = names.find((name) => Object.hasOwn(file.credHelpers, name))
  const helper = chosen && file.credHelpers[chosen]
  if (chosen !== undefined && helper !== undefined) {
    const found = await askHelper(helper, chosen, where)
    if (found !== undefined) return found
  }
  for (const key of keysOf(host, repository)) {
    const found = Object.hasOwn(file.auths, key) ? credentialsOf(file.auths[key], path) : undefined
    if (found !== undefined) return found
  }
  for (const name of file.credsStore ? names : []) {
    const found = await askHelper(file.credsStore ?? '', name, where)
    if (found !== undefined) return found
  }
  return undefined
}

/** Docker keeps Docker Hub under an address of its first days. */
function namesOf(host: string): readonly string[] {
  return host === DOCKER_HUB
    ? ['https://index.docker.io/v1/', 'index.docker.io', 'registry-1.docker.io', DOCKER_HUB]
    : [host]
}

/** podman has keys for folders of a registry, of which the longest counts; Docker has URLs. */
function keysOf(host: string, repository: string): readonly string[] {
  const parts = repository.split('/')
  const folders = parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join('/'))
  const names = [host, ...namesOf(host).filter((name) => name !== host)]
  const urls = names
    .filter((name) => !name.includes('://'))
    .flatMap((name) => ['', '/', '/v1/', '/v2/'].map((end) => `https://${name}${end}`))
  return [...folders, ...names, ...urls]
}

function credentialsOf(entry: unknown, path: string): Credentials | undefined {
  const {auth, username, password, identitytoken, registrytoken} = ifValid(entry, entrySchema) ?? {}
  if (identitytoken) return {kind: 'identity', token: identitytoken, path}
  if (registrytoken) return {kind: 'bearer', token: registrytoken, path}
  // Docker pads with zero bytes.
  const decoded = Buffer.from(auth ?? '', 'base64')
    .toString('utf8')
    .replace(/\0+$/, '')
  const colon = decoded.indexOf(':')
  if (colon > 0)
    return {kind: 'password', user: decoded.slice(0, colon), password: decoded.slice(colon + 1), path}
  return username ? {kind: 'password', user: username, password: password ?? '', path} : undefined
}

/** A helper may ask its user, or a keyring that is locked. */
const HELPER_MS = 120_000

const helperSchema = v.object({Username: v.string(), Secret: v.string()})

/** The protocol's own way to say that there is nothing: with another failure, the text is for people. */
const NOTHING = 'credentials not found in native keychain'

/**
 * Asks a program for credentials: the name of the server on its standard input, JSON on its standard output.
 *
 * @returns undefined if it has none for this server.
 * @throws {@link credentialHelperError}
 * @see https://github.com/docker/docker-credential-helpers
 */
async function askHelper(
  name: string,
  server: string,
  {host, path, signal, caller}: LookUp,
): Promise<Credentials | undefined> {
  const helper = `docker-credential-${name}`
  const fail = (reason: string, cause?: unknown) =>
    credentialHelperError({host, helper, path, reason}, {cause})
  const program = /^[\w.-]+$/.test(name) ? caller.which(helper) : undefined
  if (program === undefined) throw fail('it is not in the PATH')
  const {status, stdout} = await capture([program, 'get'], {
    input: server,
    env: caller.environment,
    timeout: HELPER_MS,
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted()
    const errno = errnoOf(error)
    throw errno === undefined ? error : fail(wordsForErrno(errno), error)
  })
  // The output is never shown: it may hold the secret.
  if (status !== 0) {
    if (stdout.trim() === NOTHING) return undefined
    throw fail(`it ended with status ${status}`)
  }
  const answer = parseIfValid(stdout, helperSchema)
  if (answer === undefined) throw fail('its answer is not JSON with Username and Secret')
  if (answer.Secret === '') return undefined
  return answer.Username === '<token>'
    ? {kind: 'identity', token: answer.Secret, path}
    : {kind: 'password', user: answer.Username, password: answer.Secret, path}
}
