import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import {readSmallFile} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import type {TlsTrust} from '../../host/http/trust.js'
import {certificatesUnreadableError} from '../errors.js'

/** Folders that hold a folder for each host, in the order in which they are read. */
export type CertificateFolders = readonly string[]

/**
 * Returns the folders of certificates: of the setting, of podman and of Docker.
 *
 * @see containers-certs.d(5)
 */
export function certificateFolders(
  {environment}: Pick<Host, 'environment'>,
  own: string | undefined,
): CertificateFolders {
  const home = environment['HOME']
  const configuration = environment['XDG_CONFIG_HOME'] || (home && join(home, '.config'))
  return [
    ...(own === undefined ? [] : [own]),
    ...(configuration
      ? [join(configuration, 'containers/certs.d'), join(configuration, 'docker/certs.d')]
      : []),
    ...(home ? [join(home, '.docker/certs.d')] : []),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ]
}

/**
 * Reads what the folders have for a host: `*.crt` are authorities, `NAME.cert` and `NAME.key` a client's certificate.
 *
 * @param hosts - Names of the same host, each `HOST` or `HOST:PORT`.
 * @throws {@link certificatesUnreadableError}
 */
export async function readCertificates(
  hosts: readonly string[],
  {folders, isInsecure}: {readonly folders: CertificateFolders; readonly isInsecure: boolean},
): Promise<TlsTrust> {
  const files = [...new Set(hosts)].flatMap((host) =>
    folders.flatMap((folder) => filesIn(join(folder, host))),
  )
  const certificate = files.find((path) => path.endsWith('.cert'))
  return {
    authorities: files.filter((path) => path.endsWith('.crt')).map(readPem),
    client:
      certificate === undefined
        ? undefined
        : {certificate: readPem(certificate), key: readPem(certificate.replace(/\.cert$/, '.key'))},
    isUnverified: isInsecure,
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw unreadable(folder, error)
  }
}

function readPem(path: string): string {
  try {
    return readSmallFile(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return certificatesUnreadableError({path, reason: wordsForErrno(errno)}, {cause: error})
}
