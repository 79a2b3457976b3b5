import assert from 'node:assert/strict'
import {mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {parseEvidence, renderEvidence} from '../../../../src/registry/trust/evidence.js'
import {
  BUNDLE_TYPE,
  fixturePath,
  HOST,
  INDEX,
  MANIFEST,
  makeKey,
  payloadFor,
  statementFor,
  type TestKeyKind,
  testRepository,
  verified,
} from '../../../support/signed-images.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const P256 = fixturePath('p256.pub')

async function keyFile(t: TestContext, pem: string): Promise<string> {
  const path = join(await temporaryFolder(t), 'key.pub')
  writeFileSync(path, pem)
  return path
}

test('a signature of cosign 2 is good, and the record names its key', async () => {
  const options = {source: testRepository('team/p256'), name: 'team/p256:1', verify: [P256]}
  const {evidence: _, ...trust} = await verified(options)
  assert.deepEqual(trust, {
    kind: 'signed',
    signers: [
      {
        kind: 'key',
        fingerprint: 'sha256:4590df158faa49a76476b6d611cd9fc5212391225135bd4c8152aeee520a5cfe',
        name: P256,
      },
    ],
    digest: INDEX,
    policy: null,
  })
})

test('a signature of cosign 2 by an Ed25519 key is good', async () => {
  const source = testRepository('team/ed25519')
  const trust = await verified({source, name: 'team/ed25519:1', verify: [fixturePath('ed25519.pub')]})
  assert.equal(trust.kind, 'signed')
})

test('the good one of two signatures is found', async () => {
  const trust = await verified({source: testRepository('team/two'), name: 'team/two:1', verify: [P256]})
  assert.equal(trust.kind, 'signed')
})

test('each of two --verify needs a signature of its own', async () => {
  const source = testRepository('team/two')
  const both = [P256, fixturePath('other.pub')]
  const trust = await verified({source, name: 'team/two:1', verify: both})
  assert.deepEqual(
    trust.signers.map((signer) => signer.kind === 'key' && signer.name),
    both,
  )
  await assert.rejects(verified({source: testRepository('team/p256'), name: 'team/p256:1', verify: both}), {
    code: 'ENVS_IMAGE_SIGNATURE',
    exitCode: 6,
    message: /one is by another key; the key ".*other\.pub" must/,
  })
})

test('a signature that skopeo and podman make is good: it states the tag', async () => {
  const source = testRepository('team/skopeo')
  const options = {source, name: 'team/skopeo:1', verify: [P256], indexDigest: undefined}
  assert.equal((await verified(options)).digest, MANIFEST)
})

test('a manifest that is signed is good in an index that is not', async () => {
  const source = testRepository('team/skopeo')
  assert.equal((await verified({source, name: 'team/skopeo:1', verify: [P256]})).digest, MANIFEST)
})

const REFUSED: readonly {title: string; name: string; key: string; code: string; message: RegExp}[] = [
  {
    title: 'an image without a signature is not taken for one with a bad signature',
    name: 'team/unsigned',
    key: 'p256.pub',
    code: 'ENVS_IMAGE_UNSIGNED',
    message: /team\/unsigned:1 is not signed: the key ".*p256\.pub" must have signed it\.$/,
  },
  {
    title: 'a signature by another key is told',
    name: 'team/p256',
    key: 'other.pub',
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /is good: one is by another key; /,
  },
  {
    title: 'a signature for another repository is told with its name',
    name: 'team/moved',
    key: 'p256.pub',
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /is good: one is for "127\.0\.0\.1:5391\/team\/p256"; /,
  },
  {
    title: 'an attestation, such as a list of packages, is no signature',
    name: 'team/sbom',
    key: 'p256.pub',
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /is good: one is an attestation \(https:\/\/spdx\.dev\/Document\); /,
  },
]

for (const {title, name, key, code, message} of REFUSED) {
  test(title, async () => {
    const options = {source: testRepository(name), name: `${name}:1`, verify: [fixturePath(key)]}
    await assert.rejects(verified(options), {code, exitCode: 6, message})
  })
}

test('a signature of another image, under the tag of this one, is told', async (t) => {
  const key = makeKey('p256')
  const source = testRepository()
  source.attach(INDEX, [key.layer(source, payloadFor(`${HOST}/a/b`, `sha256:${'0'.repeat(64)}`))])
  await assert.rejects(verified({source, name: 'a/b:1', verify: [await keyFile(t, key.pem)]}), {
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /is good: one is of another image; /,
  })
})

const KINDS: readonly [TestKeyKind, 'sha256' | 'sha384' | 'sha512'][] = [
  ['p256', 'sha256'],
  ['p384', 'sha256'],
  ['p384', 'sha384'],
  ['p521', 'sha512'],
  ['ed25519', 'sha256'],
  ['rsa', 'sha256'],
]

for (const [kind, digest] of KINDS) {
  test(`signatures and bundles by a key of the kind ${kind} with ${digest} are good`, async (t) => {
    const key = makeKey(kind, digest)
    const verify = [await keyFile(t, key.pem)]
    const attached = testRepository()
    attached.attach(INDEX, [key.layer(attached, payloadFor(`${HOST}/a/b`))])
    assert.equal((await verified({source: attached, name: 'a/b', verify})).kind, 'signed')
    const referred = testRepository()
    referred.refer(INDEX, referred.put(key.bundle(statementFor()), BUNDLE_TYPE))
    assert.equal((await verified({source: referred, name: 'a/b', verify})).kind, 'signed')
  })
}

test('a bundle that cosign made is found where the registry has no list of referrers', async () => {
  const source = testRepository('team/bundle')
  assert.equal((await verified({source, name: 'team/bundle:1', verify: [P256]})).kind, 'signed')
})

test('a bundle of another image, or by another key, is told', async (t) => {
  const key = makeKey('p256')
  const source = testRepository()
  source.refer(INDEX, source.put(key.bundle(statementFor(MANIFEST)), BUNDLE_TYPE))
  await assert.rejects(verified({source, name: 'a/b', verify: [await keyFile(t, key.pem)]}), {
    message: /one is of another image; /,
  })
  await assert.rejects(verified({source, name: 'a/b', verify: [P256]}), {message: /one is by another key; /})
})

test('nothing more is fetched after a good signature', async () => {
  const source = testRepository('team/p256')
  await verified({source, name: 'team/p256:1', verify: [P256]})
  assert.equal(source.asked.length, 2)
})

test('an image that nobody demands a signature for is taken, and nothing is asked for', async () => {
  const source = testRepository('team/p256')
  const plain = {signers: [], digest: null, policy: null, evidence: []}
  assert.deepEqual(await verified({source, name: 'team/p256:1'}), {kind: 'registry', ...plain})
  assert.deepEqual(await verified({source, name: `team/p256@${INDEX}`}), {kind: 'digest', ...plain})
  assert.deepEqual(source.asked, [])
})

test('a failure of the registry is not taken for an image without a signature', async () => {
  const source = testRepository('team/p256')
  const down = new Error('the registry is down')
  const failing = {...source, manifest: () => Promise.reject(down)}
  await assert.rejects(verified({source: failing, name: 'team/p256:1', verify: [P256]}), down)
})

test('files that are no public key are refused, each with the reason', async (t) => {
  const folder = await temporaryFolder(t)
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return name
  }
  const {pem} = makeKey('p256')
  mkdirSync(join(folder, 'folder'))
  symlinkSync('nowhere', join(folder, 'dangling'))
  const cases: readonly [string, RegExp][] = [
    [file('empty', ''), /: it is empty\.$/],
    [file('text', 'ssh-ed25519 AAAA'), /: it is not a public key in PEM\.$/],
    [file('two', pem + makeKey('p256').pem), /: it holds 2 keys\.$/],
    [file('damaged', pem.replace('MFkw', 'MFkx')), /: its PEM is damaged\.$/],
    [file('private', '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n'), /: it is a private key\.$/],
    [file('gpg', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n'), /: it is an OpenPGP key\.$/],
    [file('short', makeKey('rsa1024').pem), /: RSA of 1024 bits is too short\.$/],
    [file('other', makeKey('x25519').pem), /: keys of the kind x25519 sign no images\.$/],
    [file('large', `${pem}${'#'.repeat(20_000)}`), /: it is over 16384 bytes\.$/],
    ['folder', /: illegal operation on a directory\.$/],
    ['dangling', /: no such file or directory\.$/],
  ]
  for (const [name, message] of cases)
    await assert.rejects(
      verified({source: testRepository(), name: 'a/b', verify: [join(folder, name)]}),
      {code: 'ENVS_PUBLIC_KEY', exitCode: 7, message},
      name,
    )
})

test('a symlink to a key is a key', async (t) => {
  const link = join(await temporaryFolder(t), 'link')
  symlinkSync(P256, link)
  const source = testRepository('team/p256')
  assert.equal((await verified({source, name: 'team/p256:1', verify: [link]})).kind, 'signed')
})

test('signatures that are kept are verified again without the registry, and others are asked for', async () => {
  const down = new Error('the registry is down')
  const unreachable = {...testRepository(), manifest: () => Promise.reject(down)}
  for (const name of ['team/p256', 'team/bundle']) {
    const {evidence} = await verified({source: testRepository(name), name: `${name}:1`, verify: [P256]})
    const known = parseEvidence(renderEvidence(evidence))
    assert.deepEqual(known, evidence)
    const options = {source: unreachable, name: `${name}:1`, known}
    assert.equal((await verified({...options, verify: [P256]})).kind, 'signed')
    await assert.rejects(verified({...options, verify: [fixturePath('other.pub')]}), down)
    await assert.rejects(verified({...options, name: 'other/name:1', verify: [P256]}), down)
  }
  assert.deepEqual(parseEvidence(Buffer.from('{"signatures":[{}]}')), [])
})
