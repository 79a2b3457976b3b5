import {readFile} from 'node:fs/promises'
import type {PublicKey} from 'openpgp'
import {EnvsError, errnoOf, wordsForErrno} from '../../errors.js'
import {templatePath} from '../../host/paths.js'
import {armouredBlocks, isBinary} from './armour.js'
import {keyringError} from './errors.js'

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
    throw keyringError(
      {path, reason: errno === 'ENOENT' ? 'there is no such file' : wordsForErrno(errno)},
      {cause: error},
    )
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

/** Kinds of listings, each with its own keys: a key for images is not valid for a repository. */
export type ListingKind =
  | 'ubuntu-base'
  | 'ubuntu-cloud'
  | 'ubuntu-streams'
  | 'ubuntu-archive'
  | 'debian-archive'
  | 'debian-security'
  | 'debian-archive-moved'
  | 'debian-security-moved'
  | 'lxc'

type Pins = {
  /** In templates/keys/; other keys in the file are not trusted. */
  readonly file: string
  /** Of primary keys: their certified subkeys are valid too. */
  readonly fingerprints: readonly string[]
}

/** templates/keys/README.md gives the origin of the files. */
export const PINNED: Readonly<Record<ListingKind, Pins>> = {
  'ubuntu-base': {
    file: 'ubuntu-archive-keyring.gpg',
    // Ubuntu CD Image Automatic Signing Key (2012)
    fingerprints: ['843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  },
  // SHA256SUMS of the folders of cloud-images.ubuntu.com.
  'ubuntu-cloud': {
    file: 'ubuntu-cloudimage-keyring.gpg',
    // UEC Image Automatic Signing Key
    fingerprints: ['D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81'],
  },
  // The simplestreams of the same server.
  'ubuntu-streams': {
    file: 'ubuntu-cloudimage-keyring.gpg',
    // Ubuntu Cloud Image Builder
    fingerprints: ['4A3CE3CD565D7EB5C810E2B97FF3F408476CF100'],
  },
  'ubuntu-archive': {
    file: 'ubuntu-archive-keyring.gpg',
    fingerprints: [
      // Ubuntu Archive Automatic Signing Key (2012)
      '790BC7277767219C42C86F933B4FE6ACC0B21F32',
      // Ubuntu Archive Automatic Signing Key (2018)
      'F6ECB3762474EDA9D21B7022871920D1991BC93C',
    ],
  },
  'debian-archive': {
    file: 'debian-archive-keyring.pgp',
    fingerprints: [
      // Archive and release keys of bullseye
      '1F89983E0081FDE018F3CC9673A4F27B8DD47936',
      'A4285295FC7B1A81600062A9605C66F00D6C9793',
      // of bookworm
      'B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8',
      '4D64FEC119C2029067D6E791F8D2585B8783D481',
      // of trixie
      '04B54C3CDCA79751B16BC6B5225629DF75B188BD',
      '41587F7DB8C774BCCF131416762F67A0B2C39DE4',
    ],
  },
  // The security pocket is a separate repository with its own keys.
  'debian-security': {
    file: 'debian-archive-keyring.pgp',
    fingerprints: [
      // of bullseye, bookworm and trixie
      'AC530D520F2F3269F5E98313A48449044AAD5C5D',
      '05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0',
      '5E04A1E3223A19A20706E20F9904613D4CCE68C6',
    ],
  },
  // Releases on archive.debian.org, with keys that Debian has withdrawn for others.
  'debian-archive-moved': {
    file: 'debian-archive-removed-keys.pgp',
    fingerprints: [
      // Archive keys of jessie, stretch and buster
      '126C0D24BD8A2942CC7DF8AC7638D0442B90D010',
      'E1CF20DDFFE4B89E802658F1E0B11894F66AEC98',
      '80D15823B7FD1561F9F7BCDDDC30D7C23CBBABEE',
      // Their release keys
      '75DDC3C4A499F1A18CB5F3C8CBF8D6FD518E17E1',
      '067E3C456BAE240ACEE88F6FEF0F382A1A7B6500',
      '6D33866EDD8FFA41C0143AEDDCC9EFBF77E11517',
    ],
  },
  'debian-security-moved': {
    file: 'debian-archive-removed-keys.pgp',
    fingerprints: [
      // of jessie, stretch and buster
      'D21169141CECD440F2EB8DDA9D6D8F6BC857C906',
      '6ED6F5CB5FA6FB2F460AE88EEDA0D2388AE22BA9',
      '5E61B217265DA9807A23C5FF4DFAB270CAA96DFA',
    ],
  },
  lxc: {
    file: 'lxc-images.asc',
    // LXC pre-built images
    fingerprints: ['E7FB0CAEC8173D669066514CBAEFF88C22F6E216'],
  },
}
