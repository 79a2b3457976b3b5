import assert from 'node:assert/strict'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {templatePath} from '../../../../src/host/paths.js'
import {fixture} from '../../../support/fixture.js'
import {
  BUNDLE_TYPE,
  HOST,
  INDEX,
  type TestRepository,
  testRepository,
  verified,
} from '../../../support/signed-images.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

type Attached = {
  readonly payload: string
  readonly signature: string
  readonly certificate?: string
  readonly logEntry: {readonly SignedEntryTimestamp: string; readonly Payload: {readonly body: string}}
}

type Keyless = {
  readonly root: object
  readonly authorities: {readonly fulcio: string; readonly rekor: string}
  readonly workflow: Attached
  readonly email: Attached
  readonly keyed: Attached & {readonly publicKey: string}
  readonly bundle: {
    readonly verificationMaterial: {
      readonly certificate: {readonly rawBytes: string}
      readonly tlogEntries: readonly Record<string, unknown>[]
    }
    readonly dsseEnvelope: {readonly payload: string}
  }
}

/** Made by a false Fulcio and Rekor: test/fixtures/SOURCES.md. */
const keyless: Keyless = JSON.parse(fixture('signatures/keyless.json').toString())

const ISSUER = 'https://token.actions.githubusercontent.com'
const SUBJECT = 'https://github.com/team/tool/.github/workflows/release.yml@refs/heads/main'
const EXACT = `issuer=${ISSUER},identity=${SUBJECT}`

async function rootFile(t: TestContext, root: object = keyless.root): Promise<string> {
  const path = join(await temporaryFolder(t), 'trusted_root.json')
  writeFileSync(path, JSON.stringify(root))
  return path
}

function attach(source: TestRepository, {payload, signature, certificate, logEntry}: Attached): void {
  source.attach(INDEX, [
    source.put(payload, 'application/vnd.dev.cosign.simplesigning.v1+json', {
      'dev.cosignproject.cosign/signature': signature,
      'dev.sigstore.cosign/bundle': JSON.stringify(logEntry),
      ...(certificate === undefined ? {} : {'dev.sigstore.cosign/certificate': certificate}),
    }),
  ])
}

function attachedBy(attached: Attached): TestRepository {
  const source = testRepository()
  attach(source, attached)
  return source
}

function referredBy(bundle: object): TestRepository {
  const source = testRepository()
  source.refer(INDEX, source.put(JSON.stringify(bundle), BUNDLE_TYPE))
  return source
}

test('a keyless bundle of cosign 3 is good for its issuer and its subject', async (t) => {
  const trust = await verified({
    ...{source: referredBy(keyless.bundle), name: 'team/tool:1', verify: [EXACT]},
    rootPath: await rootFile(t),
  })
  assert.deepEqual(trust.signers, [{kind: 'identity', issuer: ISSUER, subject: SUBJECT}])
})

test('a keyless signature of cosign 2 is good for its issuer and its subject', async (t) => {
  const trust = await verified({
    ...{source: attachedBy(keyless.workflow), name: 'team/keyless:1', verify: [EXACT]},
    rootPath: await rootFile(t),
  })
  assert.deepEqual(trust.signers, [{kind: 'identity', issuer: ISSUER, subject: SUBJECT}])
})

const IDENTITIES: readonly {verify: string; isGood: boolean}[] = [
  {verify: `issuer=${ISSUER},identity-regexp=^https://github\\.com/team/`, isGood: true},
  {verify: `issuer-regexp=githubusercontent,identity-regexp=@refs/heads/main$`, isGood: true},
  {verify: `issuer=${ISSUER},identity=https://github.com/team/`, isGood: false},
  {verify: `issuer=${ISSUER}/,identity=${SUBJECT}`, isGood: false},
  {verify: `issuer=${ISSUER},identity-regexp=^https://github\\.com/other/`, isGood: false},
]

for (const {verify, isGood} of IDENTITIES) {
  test(`${verify} is ${isGood ? 'good' : 'refused, and the signer is named'}`, async (t) => {
    const options = {source: referredBy(keyless.bundle), name: 'team/tool:1', verify: [verify]}
    const result = verified({...options, rootPath: await rootFile(t)})
    if (isGood) assert.equal((await result).kind, 'signed')
    else
      await assert.rejects(result, {
        code: 'ENVS_IMAGE_SIGNATURE',
        message: new RegExp(`one is by "${SUBJECT}" of "${ISSUER}"; `),
      })
  })
}

test('a signature of a false Fulcio is refused with the roots that envs has', async () => {
  const options = {name: 'team/tool:1', verify: [EXACT]}
  const rootPath = templatePath('keys/sigstore-trusted-root.json')
  const message = /is good: the certificate of one is by no known authority, or was not valid then; /
  for (const source of [
    referredBy(keyless.bundle),
    attachedBy({...keyless.workflow, payload: keyless.workflow.payload}),
  ])
    await assert.rejects(verified({...options, source, rootPath}), {code: 'ENVS_IMAGE_SIGNATURE', message})
})

type Damage = {title: string; bundle: object; message: RegExp}

const {verificationMaterial: material, dsseEnvelope: envelope} = keyless.bundle
const entry = material.tlogEntries[0] ?? {}

const DAMAGES: readonly Damage[] = [
  {
    title: 'without an entry in a log, which also states its time',
    bundle: {...keyless.bundle, verificationMaterial: {...material, tlogEntries: []}},
    message: /one has no time that a known authority states/,
  },
  {
    title: 'with the time of its entry changed',
    bundle: {
      ...keyless.bundle,
      verificationMaterial: {
        ...material,
        tlogEntries: [{...entry, integratedTime: String(Number(entry['integratedTime']) + 60)}],
      },
    },
    message: /one is in no known transparency log/,
  },
  {
    title: 'used after its certificate ended',
    bundle: {
      ...keyless.bundle,
      verificationMaterial: {
        ...material,
        tlogEntries: [{...entry, integratedTime: String(Number(entry['integratedTime']) + 3600)}],
      },
    },
    message: /the certificate of one is by no known authority, or was not valid then/,
  },
  {
    title: 'with the entry of another signature',
    bundle: {
      ...keyless.bundle,
      verificationMaterial: {
        ...material,
        tlogEntries: [
          {
            ...entry,
            kindVersion: {kind: 'hashedrekord', version: '0.0.1'},
            canonicalizedBody: keyless.workflow.logEntry.Payload.body,
          },
        ],
      },
    },
    message: /one is in no known transparency log/,
  },
  {
    title: 'with another statement',
    bundle: {
      ...keyless.bundle,
      dsseEnvelope: {
        ...envelope,
        payload: Buffer.from(
          Buffer.from(envelope.payload, 'base64').toString().replace('"predicate":{}', '"predicate":{"a":1}'),
        ).toString('base64'),
      },
    },
    message: /the entry of one in the transparency log is of another signature/,
  },
  {
    title: 'with a certificate that is damaged',
    bundle: {...keyless.bundle, verificationMaterial: {...material, certificate: {rawBytes: 'MAAA'}}},
    message: /one has no certificate/,
  },
]

for (const {title, bundle, message} of DAMAGES) {
  test(`a keyless bundle ${title} is refused`, async (t) => {
    const options = {source: referredBy(bundle), name: 'team/tool:1', verify: [EXACT]}
    await assert.rejects(verified({...options, rootPath: await rootFile(t)}), {
      ...{code: 'ENVS_IMAGE_SIGNATURE', exitCode: 6, message},
    })
  })
}

test('a certificate that no log of certificates promised is refused', async (t) => {
  const options = {source: referredBy(keyless.bundle), name: 'team/tool:1', verify: [EXACT]}
  await assert.rejects(verified({...options, rootPath: await rootFile(t, {...keyless.root, ctlogs: []})}), {
    message: /the certificate of one is by no known authority/,
  })
})

test('a signature by a key alone is refused for an identity', async (t) => {
  const options = {source: testRepository('team/p256'), name: 'team/p256:1', verify: [EXACT]}
  await assert.rejects(verified({...options, rootPath: await rootFile(t)}), {
    message: /is good: one has no certificate; ".*" of ".*" must have signed it/,
  })
})

test('a file that holds no roots is refused with its name', async (t) => {
  const options = {source: referredBy(keyless.bundle), name: 'team/tool:1', verify: [EXACT]}
  const cases: readonly [string, RegExp][] = [
    [await rootFile(t, {}), /trusted_root\.json": it is not a trusted_root\.json/],
    [join(await temporaryFolder(t), 'none'), /none": no such file or directory/],
  ]
  for (const [rootPath, message] of cases)
    await assert.rejects(verified({...options, rootPath}), {code: 'ENVS_TRUSTED_ROOT', exitCode: 7, message})
})

test('the roots that envs has can be read', async () => {
  const options = {source: testRepository('team/p256'), name: 'team/p256:1', verify: [EXACT]}
  await assert.rejects(verified({...options, rootPath: templatePath('keys/sigstore-trusted-root.json')}), {
    code: 'ENVS_IMAGE_SIGNATURE',
  })
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

const FULCIO = {
  caData: base64(keyless.authorities.fulcio),
  oidcIssuer: 'https://accounts.example.org',
  subjectEmail: 'me@example.org',
}

function policyWith(requirement: object): object {
  const signed = {type: 'sigstoreSigned', signedIdentity: {type: 'matchRepository'}, ...requirement}
  return {default: [{type: 'reject'}], transports: {docker: {[HOST]: [signed]}}}
}

test('fulcio and a key of Rekor in a policy: good, another address, another log', async (t) => {
  const rootPath = await rootFile(t)
  const check = (requirement: object) =>
    verified({
      ...{source: attachedBy(keyless.email), name: 'team/email:1', rootPath},
      policy: policyWith(requirement),
    })
  const log = base64(keyless.authorities.rekor)
  const trust = await check({fulcio: FULCIO, rekorPublicKeyData: log})
  assert.deepEqual(trust.signers, [
    {kind: 'identity', issuer: 'https://accounts.example.org', subject: 'me@example.org'},
  ])
  await assert.rejects(
    check({fulcio: {...FULCIO, subjectEmail: 'you@example.org'}, rekorPublicKeyData: log}),
    {code: 'ENVS_IMAGE_SIGNATURE', message: /one is by "me@example\.org" of "https:\/\/accounts/},
  )
  await assert.rejects(check({fulcio: FULCIO, rekorPublicKeyData: base64(keyless.keyed.publicKey)}), {
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /one is in no known transparency log/,
  })
})

test('the subject of a policy is an e-mail address, not another name of the same letters', async (t) => {
  const policy = policyWith({
    fulcio: {...FULCIO, oidcIssuer: ISSUER, subjectEmail: SUBJECT},
    rekorPublicKeyData: base64(keyless.authorities.rekor),
  })
  const options = {source: attachedBy(keyless.workflow), name: 'team/keyless:1', policy}
  await assert.rejects(verified({...options, rootPath: await rootFile(t)}), {
    message: /release\.yml@refs\/heads\/main", which is no e-mail address/,
  })
})

test('a key of Rekor beside a key: a signature in that log is good, one in no log is not', async () => {
  const {publicKey, ...keyed} = keyless.keyed
  const check = (source: TestRepository, log: string) =>
    verified({
      ...{source, name: 'team/logged:1'},
      policy: policyWith({keyData: base64(publicKey), rekorPublicKeyData: base64(log)}),
    })
  assert.equal((await check(attachedBy(keyed), keyless.authorities.rekor)).kind, 'signed')
  const message = /one is in no transparency log that the policy names/
  await assert.rejects(check(attachedBy(keyed), publicKey), {message})
  const unlogged = testRepository()
  unlogged.attach(INDEX, [
    unlogged.put(keyed.payload, 'application/vnd.dev.cosign.simplesigning.v1+json', {
      'dev.cosignproject.cosign/signature': keyed.signature,
    }),
  ])
  await assert.rejects(check(unlogged, keyless.authorities.rekor), {message})
})
