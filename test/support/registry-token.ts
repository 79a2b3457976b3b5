import {randomUUID, sign, X509Certificate} from 'node:crypto'
import type {TestCertificate} from './certificate.js'

export type TokenAccess = {readonly type: string; readonly name: string; readonly actions: readonly string[]}

type Claims = {readonly subject: string; readonly access: readonly TokenAccess[]; readonly seconds: number}

/** A bearer token as registries take it: a JSON Web Token whose signer's certificate is in its header. @see RFC 7519 */
export function signedToken({key, cert}: TestCertificate, {subject, access, seconds}: Claims): string {
  const now = Math.floor(Date.now() / 1000)
  const header = {alg: 'ES256', typ: 'JWT', x5c: [new X509Certificate(cert).raw.toString('base64')]}
  const claims = {
    ...{iss: 'test-issuer', aud: 'test-registry', sub: subject, jti: randomUUID()},
    ...{exp: now + seconds, nbf: now - 5, iat: now},
    access,
  }
  const text = [header, claims]
    .map((each) => Buffer.from(JSON.stringify(each)).toString('base64url'))
    .join('.')
  const signature = sign('SHA256', Buffer.from(text), {key, dsaEncoding: 'ieee-p1363'})
  return `${text}.${signature.toString('base64url')}`
}
