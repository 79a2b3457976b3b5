import {createHash} from 'node:crypto'
import {redactUrl} from '../host/http/redact-url.js'
import type {SuitePlace} from './errors.js'

/** Where a suite is looked for: its URLs may hold a password. */
export type Place = SuitePlace & {
  /** URL of the archive as it is asked for, without a slash at its end. */
  readonly base: string
}

export function placeOf(base: string, suite: string): Place {
  return {base, suite, mirror: redactUrl(new URL(base)).replace(/\/+$/, '')}
}

/** The URL of a file below the archive's folder. */
export function urlBelow({base}: Pick<Place, 'base'>, path: string): URL {
  // A `+` of a version is itself in a path; `%` is not.
  return new URL(`${base}/${path.replaceAll('%', '%25')}`)
}

export function urlInSuite(place: Place, path: string): URL {
  return urlBelow(place, `dists/${place.suite}/${path}`)
}

/** A name for what is kept of a place: one that people can read, and of this place alone. */
export function keyOf({mirror, suite}: SuitePlace): string {
  const words = `${mirror}/${suite}`.replace(/^[a-z]+:\/\//, '').replace(/[^A-Za-z0-9.-]+/g, '_')
  const digest = createHash('sha256').update(`${mirror} ${suite}`).digest('hex')
  return `${words.slice(0, 80)}-${digest.slice(0, 16)}`
}
