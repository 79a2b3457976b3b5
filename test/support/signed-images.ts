import {generateKeyPairSync, sign} from 'node:crypto'
import {Readable} from 'node:stream'
import {EnvsError, ExitCode} from '../../src/errors.js'
import type {BlobSource} from '../../src/registry/blob-source.js'
import {type Descriptor, type OciDigest, ociDigestOf} from '../../src/registry/descriptor.js'
import {parseRegistryReference} from '../../src/registry/reference.js'
import type {KnownSignature} from '../../src/registry/trust/evidence.js'
import {planTrust} from '../../src/registry/trust/plan.js'
import {verifyImage} from '../../src/registry/trust/verify.js'
import {fixture} from './fixture.js'

/** The host that the signatures of test/fixtures/signatures were made for. */
export const HOST = '127.0.0.1:5391'

/** The index that is signed, and the manifest in it. */
export const INDEX: OciDigest = 'sha256:9ebb194d9a1dc88efebda3e9bcde5cc231e5b7baf2a734600dafc28576d586be'
export const MANIFEST: OciDigest = 'sha256:84574c16e2d8ae00cae12410eef446eb0c8702598e011651e3060f41b5206510'

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

type Stored = {
  readonly tags: Record<string, Record<string, OciDigest>>
  readonly manifests: Record<string, {readonly mediaType: string; readonly text: string}>
  readonly blobs: Record<string, string>
}

/** A repository that counts what is asked of it. */
export type TestRepository = BlobSource & {
  readonly asked: string[]
  put(bytes: Buffer | string, mediaType: string, annotations?: Record<string, string>): Descriptor
  putManifest(tag: string, manifest: object, mediaType?: string): OciDigest
  /** Attaches signatures as cosign 2 does. */
  attach(digest: OciDigest, layers: readonly Descriptor[]): void
  /** Refers to an image as cosign 3 does. */
  refer(digest: OciDigest, blob: Descriptor, artifactType?: string): void
}

/** A repository with the manifests and the signatures that cosign and skopeo pushed, or an empty one. */
export function testRepository(name?: string): TestRepository {
  const stored: Stored = JSON.parse(fixture('signatures/registry.json').toString())
  const tags = new Map(Object.entries(name === undefined ? {} : (stored.tags[name] ?? {})))
  const manifests = new Map(Object.entries(stored.manifests))
  const blobs = new Map(Object.entries(stored.blobs).map(([digest, text]) => [digest, Buffer.from(text)]))
  const referring = new Map<string, Descriptor[]>()
  const asked: string[] = []
  const repository: TestRepository = {
    asked,
    async manifest(which = 'latest') {
      asked.push(which)
      const digest = which.startsWith('sha256:') ? (which as OciDigest) : tags.get(which)
      const found = manifests.get(digest ?? '')
      if (digest === undefined || found === undefined) throw missing(which)
      return {bytes: Buffer.from(found.text), mediaType: found.mediaType, digest}
    },
    async blob({digest}) {
      asked.push(digest)
      const found = blobs.get(digest)
      if (found === undefined) throw missing(digest)
      return Readable.from([found])
    },
    async referrers(digest) {
      const index = manifests.get(tags.get(digest.replace(':', '-')) ?? '')
      const listed: Descriptor[] = index === undefined ? [] : (JSON.parse(index.text).manifests ?? [])
      return [...listed, ...(referring.get(digest) ?? [])]
    },
    async close() {},
    put(bytes, mediaType, annotations = {}) {
      const content = Buffer.from(bytes)
      const digest = ociDigestOf(content)
      blobs.set(digest, content)
      return {mediaType, digest, size: content.length, annotations}
    },
    putManifest(tag, manifest, mediaType = MANIFEST_TYPE) {
      const text = JSON.stringify(manifest)
      const digest = ociDigestOf(Buffer.from(text))
      manifests.set(digest, {mediaType, text})
      tags.set(tag, digest)
      return digest
    },
    attach(digest, layers) {
      const config = repository.put('{}', 'application/vnd.oci.image.config.v1+json')
      repository.putManifest(`${digest.replace(':', '-')}.sig`, {
        ...{schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers},
      })
    },
    refer(subject, blob, artifactType = BUNDLE_TYPE) {
      const config = repository.put('{}', 'application/vnd.oci.empty.v1+json')
      const digest = repository.putManifest(`referrer-${referring.size}-${blob.digest.slice(7, 20)}`, {
        ...{schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType, config, layers: [blob]},
      })
      const descriptor = {mediaType: MANIFEST_TYPE, digest, size: 1, artifactType}
      referring.set(subject, [...(referring.get(subject) ?? []), descriptor])
    },
  }
  return repository
}

function missing(which: string): EnvsError {
  return new EnvsError(`There is no ${which}.`, {code: 'ENVS_NOT_FOUND', exitCode: ExitCode.notFound})
}

type Verification = {
  readonly source: BlobSource
  /** `team/tool:1`, of the host of the fixtures. */
  readonly name: string
  readonly verify?: readonly string[]
  /** The policy, as an object or as a text. */
  readonly policy?: object | string
  readonly rootPath?: string
  readonly indexDigest?: OciDigest | undefined
  readonly manifestDigest?: OciDigest
  readonly known?: readonly KnownSignature[]
}

/** Verifies an image as `envs create` does; without a policy, that of no host is read. */
export async function verified({
  source,
  name,
  verify = [],
  policy,
  rootPath = '/nowhere',
  indexDigest = INDEX,
  manifestDigest = MANIFEST,
  known = [],
}: Verification) {
  const reference = parseRegistryReference(name.startsWith('docker.io/') ? name : `${HOST}/${name}`)
  const plan = planTrust(reference, {
    verify,
    policy: typeof policy === 'object' ? JSON.stringify(policy) : policy,
    usualPolicies: [],
    rootPath,
    workingFolder: '/',
  })
  const signal = new AbortController().signal
  const options = {source, reference, indexDigest, manifestDigest, plan, known, signal}
  const {kind, signature} = await verifyImage(options)
  const {signers = [], digest = null, evidence = []} = signature ?? {}
  return {kind, signers, digest, policy: plan.policy, evidence}
}

export type TestKey = {
  readonly pem: string
  /** Makes a layer of a signature of cosign 2. */
  layer(repository: TestRepository, payload: object | string): Descriptor
  /** Makes a bundle of cosign 3. */
  bundle(statement: object): string
}

export type TestKeyKind = 'p256' | 'p384' | 'p521' | 'ed25519' | 'rsa' | 'rsa1024' | 'x25519'

const KEYS = {
  p256: () => generateKeyPairSync('ec', {namedCurve: 'P-256'}),
  p384: () => generateKeyPairSync('ec', {namedCurve: 'P-384'}),
  p521: () => generateKeyPairSync('ec', {namedCurve: 'P-521'}),
  ed25519: () => generateKeyPairSync('ed25519'),
  rsa: () => generateKeyPairSync('rsa', {modulusLength: 2048}),
  rsa1024: () => generateKeyPairSync('rsa', {modulusLength: 1024}),
  x25519: () => generateKeyPairSync('x25519'),
}

/** @param digest - With which cosign signs by default. */
export function makeKey(kind: TestKeyKind, digest: 'sha256' | 'sha384' | 'sha512' = 'sha256'): TestKey {
  const {publicKey, privateKey} = KEYS[kind]()
  const signed = (content: Buffer) =>
    sign(kind === 'ed25519' ? null : digest, content, privateKey).toString('base64')
  return {
    pem: publicKey.export({type: 'spki', format: 'pem'}).toString(),
    layer(repository, payload) {
      const content = typeof payload === 'string' ? payload : JSON.stringify(payload)
      return repository.put(content, PAYLOAD_TYPE, {
        'dev.cosignproject.cosign/signature': signed(Buffer.from(content)),
      })
    },
    bundle(statement) {
      const type = 'application/vnd.in-toto+json'
      const payload = Buffer.from(JSON.stringify(statement))
      const head = Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `)
      return JSON.stringify({
        mediaType: BUNDLE_TYPE,
        verificationMaterial: {publicKey: {hint: 'none'}, tlogEntries: []},
        dsseEnvelope: {
          payloadType: type,
          payload: payload.toString('base64'),
          signatures: [{sig: signed(Buffer.concat([head, payload]))}],
        },
      })
    },
  }
}

/** The payload of a signature, as cosign 2 writes it. */
export function payloadFor(name: string, digest: OciDigest = INDEX): object {
  return {
    critical: {
      identity: {'docker-reference': name},
      image: {'docker-manifest-digest': digest},
      type: 'cosign container image signature',
    },
    optional: null,
  }
}

/** What cosign 3 signs: it states no name. */
export function statementFor(digest: OciDigest = INDEX): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{digest: {sha256: digest.slice('sha256:'.length)}}],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  }
}

/** The path of a key, or of another file, of the fixtures. */
export function fixturePath(name: string): string {
  return new URL(`../fixtures/signatures/${name}`, import.meta.url).pathname
}

export {BUNDLE_TYPE}
