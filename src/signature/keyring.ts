import {readFile} from 'node:fs/promises'
import type {PublicKey} from 'openpgp'
import {EnvsError, errnoOf} from '../errors.js'
import {templatePath} from '../host/paths.js'
import {armouredBlocks, isBinary} from './armour.js'
import {keyringError} from './errors.js'
import {type ListingKind, PINNED} from './pinned-keys.js'

/** A trusted primary key, and its name. */
export type TrustedKey = {
  /** 40 upper-case hexadecimal digits; 64 of a version 6 key. */
  readonly fingerprint: string
  readonly name: string
  readonly key: PublicKey
}

/** The keyring of all Debian developers is 30 MB; keyrings of repositories are far smaller. */
const MAX_KEYRING_BYTES = 4 * 1024 ** 2

/** A file of the user's keys, armoured or binary, and the URL of the folder for which they are valid. */
export type ScopedKeyring = {readonly below: string; readonly path: string}

/** Finds the built-in keys of a kind of listing. */
export type PinnedKeys = (kind: ListingKind) => Promise<TrustedKey[]>

/**
 * Returns the keys that are valid for a listing: the built-in ones pinned for its kind, and the user's whose
 * scope contains it.
 *
 * @param listing.from - Its URL.
 * @param findPinned - Another one in tests, whose archives Debian does not sign.
 * @throws {@link keyringError}
 * @see apt-secure(8), "Signed-By": a key that counts everywhere could sign for every publisher.
 */
export async function trustedKeys(
  {kind, from}: {kind: ListingKind; from: URL},
  keyrings: readonly ScopedKeyring[],
  findPinned: PinnedKeys = pinnedKeys,
): Promise<TrustedKey[]> {
  const own = keyrings.filter(({below}) => isBelow(from, below))
  const keys = await Promise.all(own.map(({path}) => readKeyring(path)))
  return [...(await findPinned(kind)), ...keys.flat()]
}

/** Returns the built-in keys that may sign a kind of listing. @throws {@link keyringError} */
export async function pinnedKeys(kind: ListingKind): Promise<TrustedKey[]> {
  const {file, fingerprints} = PINNED[kind]
  const keys = await readKeyring(templatePath(`keys/${file}`))
  return keys.filter(({fingerprint}) => fingerprints.includes(fingerprint))
}

/** Ignores names and passwords in the URLs. */
function isBelow({origin, pathname}: URL, folder: string): boolean {
  const scope = new URL(folder)
  return origin === scope.origin && pathname.startsWith(scope.pathname.replace(/\/*$/, '/'))
}

/** @throws {@link keyringError} */
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
      throw keyringError({path, reason: `it is over ${MAX_KEYRING_BYTES} bytes`})
    return bytes
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined || error instanceof EnvsError) throw error
    throw keyringError({path, reason: errno === 'ENOENT' ? 'there is no such file' : errno}, {cause: error})
  }
}

async function parseKeys(bytes: Buffer, path: string): Promise<PublicKey[]> {
  const {readKeys} = await import('openpgp')
  const blocks = isBinary(bytes) ? [] : armouredBlocks(bytes.toString('latin1'), 'PUBLIC KEY BLOCK')
  if (blocks === undefined) throw keyringError({path, reason: 'an armoured block in it has no end'})
  if (!isBinary(bytes) && blocks.length === 0)
    throw keyringError({path, reason: 'there is no public key in it'})
  try {
    if (isBinary(bytes)) return await readKeys({binaryKeys: bytes})
    const keys = await Promise.all(blocks.map((armoredKeys) => readKeys({armoredKeys})))
    return keys.flat()
  } catch (error) {
    // openpgp's errors have neither a class nor a code.
    throw keyringError({path, reason: 'it is not in the format of OpenPGP'}, {cause: error})
  }
}

/** Returns the first user id without its address: `Ubuntu CD Image Automatic Signing Key (2012)`. */
function nameOf(key: PublicKey): string | undefined {
  return key
    .getUserIDs()[0]
    ?.replace(/\s*<[^<>]*>\s*$/, '')
    .slice(0, 200)
}
