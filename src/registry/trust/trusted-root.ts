import {createHash, X509Certificate} from 'node:crypto'
import type {TrustedRoot} from '@sigstore/protobuf-specs'
import type {TrustMaterial} from '@sigstore/verify'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {readSmallFile} from '../../host/files.js'
import {templatePath} from '../../host/paths.js'
import {trustedRootError} from './errors.js'
import type {PublicKey} from './public-key.js'
import type {RootSource} from './requirement.js'

/** The roots of the public Sigstore instance; templates/keys/README.md says where they are from. */
export function builtInRoot(): string {
  return templatePath('keys/sigstore-trusted-root.json')
}

/**
 * Reads the roots of keyless signatures.
 *
 * @param chain - PEM certificates that came with a signature: those that a root of `source.authorities` issued are used as links.
 * @throws {@link trustedRootError}
 */
export async function readTrustMaterial(
  {path, authorities}: RootSource,
  {chain}: {readonly chain: string | undefined},
): Promise<TrustMaterial> {
  const [{TrustedRoot: Format}, {toTrustMaterial}] = await Promise.all([
    import('@sigstore/protobuf-specs'),
    import('@sigstore/verify'),
  ])
  const refuse = (reason: string, cause?: unknown) => trustedRootError({path, reason}, {cause})
  const json = readJson(path, refuse)
  try {
    const file = Format.fromJSON(json)
    if (file.certificateAuthorities.length === 0 || file.tlogs.length === 0)
      throw refuse('it is not a trusted_root.json with authorities and logs')
    if (authorities === undefined) return toTrustMaterial(file)
    return {
      ...toTrustMaterial(withAuthorities(file, authorities, chain)),
      tlogs: logsOf(authorities.logKeys),
    }
  } catch (error) {
    // The library throws errors of many kinds for a file of another format.
    throw error instanceof TypeError || error instanceof RangeError ? refuse('it is damaged', error) : error
  }
}

function readJson(path: string, refuse: (reason: string, cause: unknown) => Error): unknown {
  try {
    return JSON.parse(readSmallFile(path))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== undefined) throw refuse(wordsForErrno(errno), error)
    if (error instanceof SyntaxError) throw refuse('it is not JSON', error)
    throw error
  }
}

type Authorities = NonNullable<RootSource['authorities']>

function withAuthorities(
  file: TrustedRoot,
  {certificates}: Authorities,
  chain: string | undefined,
): TrustedRoot {
  const roots = certificates.flatMap((pem) => parseCertificates(pem))
  const links = issuedBy(roots, parseCertificates(chain ?? ''))
  const authority = {
    subject: undefined,
    uri: '',
    certChain: {certificates: [...links, ...roots].map(({raw}) => ({rawBytes: raw}))},
    validFor: undefined,
    operator: '',
  }
  return {...file, certificateAuthorities: [authority], timestampAuthorities: []}
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A chain of Fulcio has one link. */
const MOST_CERTIFICATES = 8

/** Returns the certificates in a PEM text, and none for a damaged one. */
export function parseCertificates(pem: string): X509Certificate[] {
  const texts = pem.match(CERTIFICATE)?.slice(0, MOST_CERTIFICATES) ?? []
  try {
    return texts.map((text) => new X509Certificate(text))
  } catch {
    // OpenSSL's errors have no type of their own.
    return []
  }
}

/** Returns those of `candidates` that a root has issued as authorities: a registry could have sent any certificate. */
function issuedBy(roots: readonly X509Certificate[], candidates: readonly X509Certificate[]) {
  return candidates.filter(
    (candidate) =>
      candidate.ca &&
      roots.some((root) => root.ca && candidate.checkIssued(root) && candidate.verify(root.publicKey)),
  )
}

/** Returns what the library verifies with: a log for each key, and nothing else. */
export function logsOf(keys: readonly PublicKey[]): TrustMaterial['tlogs'] {
  return keys.map(({key}) => ({
    logID: createHash('sha256')
      .update(key.export({type: 'spki', format: 'der'}))
      .digest(),
    baseURL: '',
    publicKey: key,
    validFor: {start: new Date(0), end: new Date(8.64e15)},
  }))
}
