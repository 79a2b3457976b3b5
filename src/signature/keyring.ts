import {readFile} from 'node:fs/promises'
import type {PublicKey} from 'openpgp'
import {errnoOf} from '../errors.js'
import {templatePath} from '../host/paths.js'
import {armouredBlocks, isBinary} from './armour.js'
import {KeyringError} from './errors.js'
import {type ListingKind, PINNED} from './pinned-keys.js'

/** A primary key whose signature makes a listing acceptable, and the name it is known by. */
export type TrustedKey = {
  /** 40 upper-case hexadecimal digits; 64 of a version 6 key. */
  readonly fingerprint: string
  readonly name: string
  readonly key: PublicKey
}

/** The keyring of all Debian developers is 30 MB; those of archives stay far below this. */
const MAX_KEYRING_BYTES = 4 * 1024 ** 2

/**
 * The keys that may sign a kind of listing: the built-in ones pinned for it, and all those of the user's own files.
 *
 * @param keyrings - Paths of the user's key files, armoured or binary.
 * @throws {KeyringError}
 */
export async function trustedKeys(kind: ListingKind, keyrings: readonly string[]): Promise<TrustedKey[]> {
  const {file, fingerprints} = PINNED[kind]
  const builtIn = await readKeyring(templatePath(`keys/${file}`))
  const own = await Promise.all(keyrings.map(readKeyring))
  return [...builtIn.filter(({fingerprint}) => fingerprints.includes(fingerprint)), ...own.flat()]
}

/** @throws {KeyringError} */
export async function readKeyring(path: string): Promise<TrustedKey[]> {
  const keys = await parseKeys(await readKeyFile(path), path)
  return keys.map((key) => {
    const fingerprint = key.getFingerprint().toUpperCase()
    return {fingerprint, name: nameOf(key) ?? fingerprint, key}
  })
}

async function readKeyFile(path: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_KEYRING_BYTES)
      throw new KeyringError(path, `it is over ${MAX_KEYRING_BYTES} bytes`)
    return bytes
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined || error instanceof KeyringError) throw error
    throw new KeyringError(path, errno === 'ENOENT' ? 'there is no such file' : errno, error)
  }
}

async function parseKeys(bytes: Buffer, path: string): Promise<PublicKey[]> {
  const {readKeys} = await import('openpgp')
  const blocks = isBinary(bytes) ? [] : armouredBlocks(bytes.toString('latin1'), 'PUBLIC KEY BLOCK')
  if (blocks === undefined) throw new KeyringError(path, 'an armoured block in it has no end')
  if (!isBinary(bytes) && blocks.length === 0) throw new KeyringError(path, 'there is no public key in it')
  try {
    if (isBinary(bytes)) return await readKeys({binaryKeys: bytes})
    const keys = await Promise.all(blocks.map((armoredKeys) => readKeys({armoredKeys})))
    return keys.flat()
  } catch (error) {
    // Its errors have neither a class nor a code.
    throw new KeyringError(path, 'it is not in the format of OpenPGP', error)
  }
}

/** The first user id without its address: `Ubuntu CD Image Automatic Signing Key (2012)`. */
function nameOf(key: PublicKey): string | undefined {
  return key
    .getUserIDs()[0]
    ?.replace(/\s*<[^<>]*>\s*$/, '')
    .slice(0, 200)
}
