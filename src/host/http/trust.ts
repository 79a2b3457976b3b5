import {readFile} from 'node:fs/promises'
import tls from 'node:tls'
import {certificateFileError} from './errors.js'
import type {Environment} from './proxy.js'

/** Returns the TLS settings of the host of a URL; undefined for the usual ones. */
export type HostTrust = (url: URL) => Promise<TlsTrust | undefined>

export type TlsTrust = {
  /** PEM texts, beside the usual authorities. */
  readonly authorities: readonly string[]
  /** PEM texts of a certificate of this user and of its key. */
  readonly client?: {readonly certificate: string; readonly key: string} | undefined
  /** Accepts any certificate. */
  readonly isUnverified: boolean
}

/** Returns the options of got for a host. @param own - What this host has beside the usual. */
export async function tlsOptions(
  own: TlsTrust | undefined,
  {authorities, environment}: {authorities: readonly string[] | undefined; environment: Environment},
) {
  const extra = own?.authorities ?? []
  const all =
    extra.length === 0 ? authorities : [...(authorities ?? (await nodesAuthorities(environment))), ...extra]
  return {
    ...(all === undefined ? {} : {certificateAuthority: [...all]}),
    ...(own?.client === undefined ? {} : own.client),
    ...(own?.isUnverified === true ? {rejectUnauthorized: false} : {}),
  }
}

/** Returns the authorities that Node uses without a list; only newer versions of Node tell all of them. */
async function nodesAuthorities(environment: Environment): Promise<readonly string[]> {
  const known = 'getCACertificates' in tls ? tls.getCACertificates : undefined
  if (typeof known === 'function') return known('default')
  return [...tls.rootCertificates, ...(await extraAuthorities(environment))]
}

/**
 * Returns the trusted certificate authorities as PEM texts; undefined for Node's own.
 *
 * `SSL_CERT_FILE` replaces Node's, as in OpenSSL. Node ignores `NODE_EXTRA_CA_CERTS` if it receives a list, so it
 * is added here.
 *
 * @throws {@link certificateFileError}
 */
export async function certificateAuthorities(environment: Environment): Promise<string[] | undefined> {
  const own = environment['SSL_CERT_FILE']
  if (!own) return undefined
  return [await readPem('SSL_CERT_FILE', own), ...(await extraAuthorities(environment))]
}

async function extraAuthorities(environment: Environment): Promise<string[]> {
  const extra = environment['NODE_EXTRA_CA_CERTS']
  return extra ? [await readPem('NODE_EXTRA_CA_CERTS', extra)] : []
}

async function readPem(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw certificateFileError({variable, path}, {cause: error})
  }
}
