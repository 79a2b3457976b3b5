import {createHash, type Hash} from 'node:crypto'

/** SHA-256 as 64 lower-case hexadecimal digits. */
export type Sha256 = string & {readonly __brand: 'Sha256'}

/** Tells whether `text` is a SHA-256 as this program writes it. */
export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text)
}

/** The digest of all that a SHA-256 hash was given; the hash is spent then. */
export function finishSha256(hash: Hash): Sha256 {
  const digest = hash.digest('hex')
  if (!isSha256(digest)) throw new Error('a hash other than SHA-256 was passed')
  return digest
}

/** The digest of what is at hand. */
export function sha256Of(content: Uint8Array | string): Sha256 {
  return finishSha256(createHash('sha256').update(content))
}
