import type {IncomingHttpHeaders} from 'node:http'
import {parseRetryAfter} from '../host/http/retry.js'

/** `100;w=21600`: a count, and the seconds that it is for. */
const LIMIT = /^(?<count>\d{1,9})(?:;w=(?<seconds>\d{1,9}))?/

type Headers = IncomingHttpHeaders

/** Returns whether the registry counts pulls, and none are left: another try would be counted too. */
export function isUsedUp(headers: Headers): boolean {
  return LIMIT.exec(headerText(headers, 'ratelimit-remaining'))?.groups?.['count'] === '0'
}

/** Returns what a response 429 tells, as a clause. */
export function describeLimit(headers: Headers, now: Date): string {
  const limit = LIMIT.exec(headerText(headers, 'ratelimit-limit'))?.groups
  const left = LIMIT.exec(headerText(headers, 'ratelimit-remaining'))?.groups?.['count']
  const waitMs = parseRetryAfter(headers['retry-after'], now)
  const known = [
    ...(limit === undefined || left === undefined
      ? []
      : [`${left} of ${limit['count']} pulls are left${describeWindow(limit['seconds'])}`]),
    ...(waitMs === undefined ? [] : [`it asks for a wait of ${describeSeconds(waitMs / 1000)}`]),
  ]
  return known.length === 0 ? 'it answered with status 429' : known.join('; ')
}

function describeWindow(seconds: string | undefined): string {
  return seconds === undefined ? '' : ` of those for ${describeSeconds(Number(seconds))}`
}

function describeSeconds(seconds: number): string {
  const [count, unit] =
    seconds >= 7200
      ? [Math.ceil(seconds / 3600), 'hours']
      : seconds >= 120
        ? [Math.ceil(seconds / 60), 'minutes']
        : [Math.ceil(seconds), 'seconds']
  return `${count} ${unit}`
}

function headerText(headers: Headers, name: string): string {
  return String(headers[name] ?? '')
}
