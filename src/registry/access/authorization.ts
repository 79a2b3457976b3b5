import * as v from 'valibot'
import {LEAST_PACE, openPace} from '../../host/http/attempt.js'
import {type HttpAnswer, type RequestOptions, send} from '../../host/http/client.js'
import {readSmallBody} from '../../host/http/fetch.js'
import {parseIfValid} from '../../host/records.js'
import {registryUnreachableError, unsafeSignInError} from '../errors.js'
import type {Endpoint} from '../hosts.js'
import {type Challenge, parseChallenges} from './challenge.js'
import type {Credentials} from './credentials.js'

/** Proof of identity for one endpoint; tokens are kept for their scope, and for as long as this process runs. */
export type Authorization = {
  /** Returns the header for scopes; undefined if none is known. */
  header(scopes: readonly string[]): string | undefined
  /**
   * Answers the challenges of a response 401, so that {@link Authorization.header} has another value.
   *
   * @returns false if nothing is left to try: there are no credentials, or they were refused.
   * @throws {@link unsafeSignInError} @throws {ConnectionError}
   */
  answer(refused: HttpAnswer, scopes: readonly string[]): Promise<boolean>
  /** The credentials that were used last; undefined: none. */
  readonly credentials: Credentials | undefined
}

type AuthorizationOptions = {
  readonly endpoint: Endpoint
  readonly insecure: readonly string[]
  readonly findCredentials: () => Promise<Credentials | undefined>
  /** Of each request to the token service. */
  readonly request: Omit<RequestOptions, 'headers' | 'method' | 'body'>
}

export function openAuthorization(options: AuthorizationOptions): Authorization {
  const headers = new Map<string, string>()
  let looked: Promise<Credentials | undefined> | undefined
  let credentials: Credentials | undefined
  return {
    get credentials() {
      return credentials
    },
    header: (scopes) => headers.get(scopes.join(' ')),
    async answer(refused, scopes) {
      looked ??= options.findCredentials()
      credentials = await looked
      const header = await headerFor(parseChallenges(refused.headers['www-authenticate']), {
        ...options,
        credentials,
        scopes,
        isProtected: refused.url.protocol === 'https:',
      })
      const key = scopes.join(' ')
      // The same password again would be refused again; a token may only have expired.
      const isNew = header !== undefined && (header.isToken || headers.get(key) !== header.value)
      if (header !== undefined) headers.set(key, header.value)
      return isNew
    },
  }
}

type HeaderOptions = AuthorizationOptions & {
  readonly credentials: Credentials | undefined
  readonly scopes: readonly string[]
  readonly isProtected: boolean
}

type Header = {readonly value: string; readonly isToken: boolean}

async function headerFor(
  challenges: readonly Challenge[],
  options: HeaderOptions,
): Promise<Header | undefined> {
  const {credentials} = options
  if (credentials?.kind === 'bearer') return {value: `Bearer ${credentials.token}`, isToken: false}
  const bearer = challenges.find(({scheme}) => scheme === 'bearer')
  if (bearer !== undefined) {
    const token = await requestToken(bearer, options)
    return token === undefined ? undefined : {value: `Bearer ${token}`, isToken: true}
  }
  const isBasic = challenges.some(({scheme}) => scheme === 'basic')
  if (!isBasic || credentials?.kind !== 'password') return undefined
  return {value: basic(credentials), isToken: false}
}

function basic({user, password}: {readonly user: string; readonly password: string}): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** A token is a few kilobytes, and has to fit into a header. */
const MOST_TOKEN_BYTES = 64 * 1024

/** Without characters that would end a header. */
const tokenField = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,16384}$/))

const tokenSchema = v.union([v.object({token: tokenField}), v.object({access_token: tokenField})])

/**
 * Requests a token for all scopes.
 *
 * @returns undefined if the service refuses.
 * @throws {@link unsafeSignInError} @throws {RegistryUnreachableError} @throws {ConnectionError}
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
async function requestToken(
  {parameters}: Challenge,
  {endpoint, insecure, credentials, scopes, request, isProtected}: HeaderOptions,
): Promise<string | undefined> {
  const realm = realmUrl(parameters['realm'] ?? '', {endpoint, insecure, isProtected})
  const all = [...new Set([...scopes, ...(parameters['scope'] ?? '').split(' ')])].filter(
    (each) => each !== '',
  )
  const {service = ''} = parameters
  const answer =
    credentials?.kind === 'identity'
      ? await send(realm, {...request, ...exchange(credentials.token, {service, scopes: all})})
      : await send(withQuery(realm, {service, scopes: all}), {
          ...request,
          headers: credentials?.kind === 'password' ? {authorization: basic(credentials)} : {},
        })
  try {
    if (REFUSED.has(answer.status)) return undefined
    if (answer.status !== 200) throw failed(realm, `it answered with status ${answer.status}`)
    const pace = openPace(LEAST_PACE, {mostMs: request.idleMs})
    const read = await readSmallBody(answer, {maxBytes: MOST_TOKEN_BYTES, pace})
    if (read.kind === 'failed') throw failed(realm, read.failure.reason)
    const found = parseIfValid(read.body.toString('utf8'), tokenSchema)
    if (found === undefined) throw failed(realm, 'its answer holds no token')
    return 'token' in found ? found.token : found.access_token
  } finally {
    answer.close()
  }
}

/** Statuses of a refusal, for a user or for a scope. @see RFC 6749, section 5.2 */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403])

function failed({host}: URL, reason: string) {
  return registryUnreachableError({host, reason})
}

type TokenFields = {readonly service: string; readonly scopes: readonly string[]}

function withQuery(realm: URL, {service, scopes}: TokenFields): URL {
  const url = new URL(realm)
  if (service !== '') url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  return url
}

/** An identity token goes into a body, because URLs are logged. */
function exchange(token: string, {service, scopes}: TokenFields) {
  const fields = {grant_type: 'refresh_token', service, client_id: 'envs', scope: scopes.join(' ')}
  return {
    method: 'POST' as const,
    headers: {'content-type': 'application/x-www-form-urlencoded'},
    body: Buffer.from(new URLSearchParams({...fields, refresh_token: token}).toString()),
  }
}

/**
 * Parses the URL of a token service, which gets the credentials.
 *
 * @throws {@link unsafeSignInError} For anything but HTTPS, unless the registry itself was asked over HTTP, or its host is insecure.
 */
function realmUrl(
  realm: string,
  {endpoint, insecure, isProtected}: Pick<HeaderOptions, 'endpoint' | 'insecure' | 'isProtected'>,
): URL {
  const refuse = (reason: string) => unsafeSignInError({host: endpoint.host, reason})
  if (!URL.canParse(realm)) throw refuse('it is not a URL')
  const url = new URL(realm)
  if (url.username !== '' || url.password !== '') throw refuse('its URL has a user name')
  const isPlain = url.protocol === 'http:' && (!isProtected || insecure.includes(url.host))
  if (url.protocol !== 'https:' && !isPlain) throw refuse(`${url.host} is asked by ${url.protocol}`)
  return url
}
