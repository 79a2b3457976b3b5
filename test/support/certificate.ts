import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

export type TestCertificate = {readonly key: string; readonly cert: string; readonly path: string}

/**
 * A certificate for `localhost` and 127.0.0.1 that vouches for itself, so that it is its own authority.
 *
 * @returns undefined when this machine has no openssl(1).
 */
export function makeCertificate(folder: string): TestCertificate | undefined {
  const [key, path] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', key, '-out', path, '-days', '2']
  try {
    execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], {stdio: 'ignore'})
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return {key: readFileSync(key, 'utf8'), cert: readFileSync(path, 'utf8'), path}
}
