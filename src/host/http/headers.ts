import type {IncomingHttpHeaders} from 'node:http'
import * as v from 'valibot'
import type {RecordOf} from '../records.js'

export const validatorsSchema = v.object({
  etag: v.exactOptional(v.string()),
  lastModified: v.exactOptional(v.string()),
})

/** What lets the rest of a body be asked for, on condition that it is still the same. */
export type Validators = RecordOf<typeof validatorsSchema>

/** A weak or a missing ETag does not do: only a strong one stands for the very bytes. */
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Picks the validators a range may be asked with.
 *
 * @see RFC 9110, sections 8.8.1 and 8.8.2.2: a date is strong when the answer is a second older at least.
 */
export function strongValidators(headers: IncomingHttpHeaders): Validators {
  const {etag, date} = headers
  const lastModified = headers['last-modified']
  const ageMs = Date.parse(date ?? '') - Date.parse(lastModified ?? '')
  return {
    ...(etag !== undefined && isStrongEtag(etag) ? {etag} : {}),
    ...(lastModified !== undefined && ageMs >= 1000 ? {lastModified} : {}),
  }
}

export function hasValidators({etag, lastModified}: Validators): boolean {
  return etag !== undefined || lastModified !== undefined
}

/** Tells whether an answer is known to be of another version than the one `known` was taken from. */
export function contradicts(known: Validators, headers: IncomingHttpHeaders): boolean {
  const {etag} = strongValidators(headers)
  return known.etag !== undefined && etag !== undefined && known.etag !== etag
}

/** Tells whether an entity tag may stand for the very bytes; `W/"…"` may not. */
export function isStrongEtag(etag: string): boolean {
  return STRONG_ETAG.test(etag)
}

/** Reads Content-Length; undefined when absent or malformed. */
export function parseLength(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,15}$/.test(header)) return undefined
  return Number(header)
}

export type ContentRange = {readonly first: number | undefined; readonly totalBytes: number | undefined}

/** Reads `bytes 5-9/10`, `bytes 5-9/*` or, of a 416, `bytes *\/10`. @see RFC 9110, section 14.4 */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(?<first>\d{1,15})-\d{1,15}|\*)\/(?:(?<total>\d{1,15})|\*)$/.exec(header ?? '')
  if (match?.groups === undefined) return undefined
  const {first, total} = match.groups
  return {
    first: first === undefined ? undefined : Number(first),
    totalBytes: total === undefined ? undefined : Number(total),
  }
}
