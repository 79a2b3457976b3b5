import {createHash, type Hash} from 'node:crypto'
import {createReadStream} from 'node:fs'

/** SHA-256 as 64 lower-case hexadecimal digits. */
export type Sha256 = string & {readonly __brand: 'Sha256'}

/** Returns whether `text` is a SHA-256 digest as envs writes it. */
export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text)
}

/** Returns the digest of a SHA-256 hash, which cannot be updated afterwards. */
export function finishSha256(hash: Hash): Sha256 {
  const digest = hash.digest('hex')
  if (!isSha256(digest)) throw new Error('a hash other than SHA-256 was passed')
  return digest
}

/** Returns the digest of bytes or text. */
export function sha256Of(content: Uint8Array | string): Sha256 {
  return finishSha256(createHash('sha256').update(content))
}

/** Returns the digest of a file of any size. @throws {NodeJS.ErrnoException} @throws The reason of the signal. */
export async function sha256OfFile(path: string, {signal}: {readonly signal: AbortSignal}): Promise<Sha256> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, {signal})) hash.update(chunk)
  return finishSha256(hash)
}
