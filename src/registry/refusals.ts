import * as v from 'valibot'
import type {EnvsError} from '../errors.js'
import {parseIfValid} from '../host/records.js'
import type {Connection, RegistryAnswer} from './connection.js'
import {
  forbiddenError,
  notInRegistryError,
  rateLimitedError,
  registryUnreachableError,
  unauthorizedError,
} from './errors.js'
import {describeLimit} from './rate-limit.js'

/** The object of a request, for messages. */
export type Subject = {
  /** `manifest 12`, `blob sha256:…`. */
  readonly what: string
  /** Default: `to read`. */
  readonly action?: string
}

/** Returns the error for a status that is not the expected one. */
export function refusalOf(
  answer: Pick<RegistryAnswer, 'status' | 'headers' | 'body'>,
  {what, action = 'to read'}: Subject,
  {endpoint: {host, repository}, authorization}: Pick<Connection, 'endpoint' | 'authorization'>,
): EnvsError {
  const {status, headers, body} = answer
  const place = `${host}/${repository}`
  const path = authorization.credentials?.path
  const credentials = path === undefined ? 'without credentials' : `with the credentials in ${path}`
  switch (status) {
    case 401:
      return unauthorizedError({host, what: place, credentials})
    case 403:
      return forbiddenError({host, action, what: place, credentials})
    case 404:
      return notInRegistryError({what, place})
    case 429:
      return rateLimitedError({host, reason: describeLimit(headers, new Date())})
    default:
      return registryUnreachableError({
        host,
        reason: `it answered with status ${status}${describeBody(body)}`,
      })
  }
}

const bodySchema = v.object({
  errors: v.array(v.object({code: v.string(), message: v.exactOptional(v.string(), '')})),
})

/** Most of a text that a registry wrote. */
const MOST_CHARACTERS = 200

/** Returns the registry's own words, without characters that a terminal would obey. */
function describeBody(body: Buffer): string {
  const [first] = parseIfValid(body.toString('utf8'), bodySchema)?.errors ?? []
  if (first === undefined) return ''
  const text = `${first.code}: ${first.message}`.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MOST_CHARACTERS)
  return ` (${text.trim()})`
}
