import {readFile} from 'node:fs/promises'
import {certificateFileError} from './errors.js'
import type {Environment} from './proxy.js'

/**
 * The certificate authorities to trust, as PEM texts; undefined for the ones Node brings along.
 *
 * `SSL_CERT_FILE` takes the place of those, as in OpenSSL. Node leaves `NODE_EXTRA_CA_CERTS` out as soon as it is
 * given a list, so it is added here.
 *
 * @throws {@link certificateFileError}
 */
export async function certificateAuthorities(environment: Environment): Promise<string[] | undefined> {
  const own = environment['SSL_CERT_FILE']
  if (!own) return undefined
  const authorities = [await readPem('SSL_CERT_FILE', own)]
  const extra = environment['NODE_EXTRA_CA_CERTS']
  if (extra) authorities.push(await readPem('NODE_EXTRA_CA_CERTS', extra))
  return authorities
}

async function readPem(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw certificateFileError({variable, path}, {cause: error})
  }
}
