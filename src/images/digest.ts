import {UsageError} from '../errors.js'
import {isSha256, type Sha256} from '../host/digest.js'

/**
 * Reads a digest as a user gives it: 64 hexadecimal digits of any case, with or without `sha256:` in front.
 *
 * @throws {UsageError}
 */
export function parseSha256(text: string): Sha256 {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '')
  if (isSha256(digits)) return digits
  throw new UsageError(`${JSON.stringify(text)} is not a SHA-256 digest.`, [
    'Give its 64 hexadecimal digits, as sha256sum prints them.',
  ])
}
