import assert from 'node:assert/strict'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {parseRegistryReference} from '../../../../src/registry/reference.js'
import {planTrust} from '../../../../src/registry/trust/plan.js'
import {usualPolicyFiles} from '../../../../src/registry/trust/policy-file.js'
import {
  BUNDLE_TYPE,
  fixturePath,
  HOST,
  INDEX,
  makeKey,
  statementFor,
  testRepository,
  verified,
} from '../../../support/signed-images.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const P256 = fixturePath('p256.pub')
const ACCEPT = [{type: 'insecureAcceptAnything'}]
const REJECT = [{type: 'reject'}]

/** The file that Debian's package golang-github-containers-common installs. */
const STOCK = {default: ACCEPT}

function signedBy(fields: object, identity: object | null = {type: 'matchRepository'}): object[] {
  return [{type: 'sigstoreSigned', ...fields, ...(identity === null ? {} : {signedIdentity: identity})}]
}

function plan(name: string, policy: object | string, usualPolicies: readonly string[] = []) {
  const text = typeof policy === 'string' ? policy : JSON.stringify(policy)
  return planTrust(parseRegistryReference(name), {
    verify: [],
    policy: text,
    usualPolicies,
    rootPath: '/nowhere',
    workingFolder: '/',
  })
}

test("with Debian's stock file an unsigned image is taken, as podman takes it", async () => {
  const source = testRepository('team/unsigned')
  assert.deepEqual(await verified({source, name: 'team/unsigned:1', policy: STOCK}), {
    kind: 'registry',
    signers: [],
    digest: null,
    policy: {file: 'registries.trust', scope: 'default'},
    evidence: [],
  })
})

test('the file of the user comes before the one of the host, and neither is needed', async (t) => {
  const home = await temporaryFolder(t)
  const [own = '', shared] = usualPolicyFiles(home)
  assert.equal(shared, '/etc/containers/policy.json')
  const host = join(home, 'policy.json')
  const options = {
    verify: [],
    policy: undefined,
    usualPolicies: [own, host],
    rootPath: '/nowhere',
    workingFolder: '/',
  }
  const image = parseRegistryReference('docker.io/library/debian:12')
  assert.deepEqual(planTrust(image, options), {requirements: [], policy: null})
  writeFileSync(host, JSON.stringify({default: REJECT}))
  assert.throws(() => planTrust(image, options), {
    code: 'ENVS_IMAGE_REJECTED',
    message: `The trust policy "${host}" rejects docker.io/library/debian:12: its scope is "default".`,
  })
  mkdirSync(join(home, '.config/containers'), {recursive: true})
  writeFileSync(own, JSON.stringify(STOCK))
  assert.deepEqual(planTrust(image, options).policy, {file: own, scope: 'default'})
})

test('a policy that is a folder is refused: it is not a policy that allows everything', async (t) => {
  const folder = await temporaryFolder(t)
  const options = {
    verify: [],
    policy: undefined,
    usualPolicies: [folder],
    rootPath: '/nowhere',
    workingFolder: '/',
  }
  assert.throws(() => planTrust(parseRegistryReference('a.example/b'), options), {
    code: 'ENVS_TRUST_POLICY',
    message: /illegal operation on a directory\.$/,
  })
})

/** Each scope rejects; the last one that is left decides. */
const SCOPES: readonly {image: string; scopes: readonly string[]}[] = [
  {
    image: 'reg.team.example:5000/a/b/c:1',
    scopes: [
      'reg.team.example:5000/a/b/c:1',
      'reg.team.example:5000/a/b/c',
      'reg.team.example:5000/a/b',
      'reg.team.example:5000/a',
      'reg.team.example:5000',
      '*.team.example',
      '*.example',
      '',
    ],
  },
  {
    image: `a.example/b:1@${INDEX}`,
    scopes: [`a.example/b@${INDEX}`, 'a.example/b', 'a.example', '*.example', ''],
  },
  {
    image: 'debian',
    scopes: [
      'docker.io/library/debian:latest',
      'docker.io/library/debian',
      'docker.io/library',
      'docker.io',
      '*.io',
      '',
    ],
  },
]

for (const {image, scopes} of SCOPES) {
  test(`scopes of ${image}, from the most specific one`, () => {
    for (const [index, scope] of scopes.entries()) {
      const docker = Object.fromEntries(
        scopes.slice(index).map((each) => [each, each === scope ? REJECT : ACCEPT]),
      )
      const named = scope === '' ? 'docker' : scope
      assert.throws(() => plan(image, {default: ACCEPT, transports: {docker}}), {
        code: 'ENVS_IMAGE_REJECTED',
        message: new RegExp(`: its scope is "${named.replaceAll(/[.*]/g, '\\$&')}"\\.$`),
      })
    }
  })
}

test('scopes that only look alike do not hold an image', () => {
  const scopes = [
    'a.example/b2',
    'a.example/b:2',
    'a.example:443',
    '*.a.example',
    'example',
    'a.example/',
    '*',
  ]
  const docker = Object.fromEntries(scopes.map((scope) => [scope, REJECT]))
  const found = plan('a.example/b:1', {default: ACCEPT, transports: {docker}})
  assert.equal(found.policy?.scope, 'default')
})

test('the scopes of other transports do not count', () => {
  const transports = {atomic: {'a.example': REJECT}, 'docker-daemon': {'': REJECT}}
  assert.equal(plan('a.example/b:1', {default: ACCEPT, transports}).policy?.scope, 'default')
})

test('a rejected image is told with the file and the scope', async () => {
  const policy = {default: ACCEPT, transports: {docker: {[`${HOST}/team`]: REJECT}}}
  const options = {source: testRepository('team/p256'), name: 'team/p256:1', policy}
  const expected = {
    code: 'ENVS_IMAGE_REJECTED',
    exitCode: 6,
    message: `The trust policy "registries.trust" rejects ${HOST}/team/p256:1: its scope is "${HOST}/team".`,
  }
  await assert.rejects(verified(options), expected)
  await assert.rejects(verified({...options, verify: [P256]}), expected)
})

test('a key of the policy and one of --verify are both needed', async () => {
  const options = {
    source: testRepository('team/p256'),
    name: 'team/p256:1',
    policy: {default: signedBy({keyPath: P256})},
  }
  const trust = await verified(options)
  assert.equal(trust.kind, 'signed')
  assert.deepEqual(trust.policy, {file: 'registries.trust', scope: 'default'})
  await assert.rejects(verified({...options, verify: [fixturePath('other.pub')]}), {
    code: 'ENVS_IMAGE_SIGNATURE',
  })
})

test('all requirements of a scope are needed', async () => {
  const other = signedBy({keyPath: fixturePath('other.pub')})
  const both = {default: [...ACCEPT, ...signedBy({keyPath: P256}), ...other]}
  const good = await verified({source: testRepository('team/two'), name: 'team/two:1', policy: both})
  assert.equal(good.signers.length, 2)
  await assert.rejects(verified({source: testRepository('team/p256'), name: 'team/p256:1', policy: both}), {
    code: 'ENVS_IMAGE_SIGNATURE',
  })
})

const KEYS: readonly object[] = [
  {keyPath: P256},
  {keyPaths: [fixturePath('other.pub'), P256]},
  {keyData: readFileSync(P256).toString('base64')},
  {
    keyDatas: [
      readFileSync(fixturePath('other.pub')).toString('base64'),
      readFileSync(P256).toString('base64'),
    ],
  },
]

for (const keys of KEYS) {
  test(`${Object.keys(keys)[0]}: one key that signed is enough`, async () => {
    const policy = {default: signedBy(keys)}
    const trust = await verified({source: testRepository('team/p256'), name: 'team/p256:1', policy})
    assert.equal(trust.kind, 'signed')
  })
}

/** What cosign signed names the repository, what skopeo signed the tag as well. */
const NAMES: readonly {name: string; identity: object | null; isGood: boolean}[] = [
  {name: 'team/skopeo:1', identity: null, isGood: true},
  {name: 'team/skopeo:2', identity: null, isGood: false},
  {name: `team/skopeo@${INDEX}`, identity: null, isGood: true},
  {name: 'team/skopeo:1', identity: {type: 'matchExact'}, isGood: true},
  {name: `team/skopeo@${INDEX}`, identity: {type: 'matchExact'}, isGood: false},
  {name: 'team/skopeo:2', identity: {type: 'matchRepository'}, isGood: true},
  {name: 'other/skopeo:1', identity: {type: 'matchRepository'}, isGood: false},
  {name: 'team/p256:1', identity: null, isGood: false},
  {name: 'team/p256:1', identity: {type: 'matchRepository'}, isGood: true},
  {
    name: 'other/x:9',
    identity: {type: 'exactReference', dockerReference: `${HOST}/team/skopeo:1`},
    isGood: true,
  },
  {
    name: 'other/x:9',
    identity: {type: 'exactReference', dockerReference: `${HOST}/team/skopeo:2`},
    isGood: false,
  },
  {
    name: 'other/x:9',
    identity: {type: 'exactRepository', dockerRepository: `${HOST}/team/skopeo`},
    isGood: true,
  },
  {
    name: 'other/x:9',
    identity: {type: 'exactRepository', dockerRepository: `${HOST}/team/other`},
    isGood: false,
  },
  {
    name: 'copies/skopeo:1',
    identity: {type: 'remapIdentity', prefix: `${HOST}/copies`, signedPrefix: `${HOST}/team`},
    isGood: true,
  },
  {
    name: 'copies/skopeo:2',
    identity: {type: 'remapIdentity', prefix: `${HOST}/copies`, signedPrefix: `${HOST}/team`},
    isGood: false,
  },
  {
    name: 'copies2/skopeo:1',
    identity: {type: 'remapIdentity', prefix: `${HOST}/copies`, signedPrefix: `${HOST}/team`},
    isGood: false,
  },
]

for (const {name, identity, isGood} of NAMES) {
  test(`${name} with ${identity === null ? 'no signedIdentity' : JSON.stringify(identity)} is ${isGood ? 'good' : 'refused'}`, async () => {
    const source = testRepository(name.startsWith('team/p256') ? 'team/p256' : 'team/skopeo')
    const result = verified({source, name, policy: {default: signedBy({keyPath: P256}, identity)}})
    if (isGood) assert.equal((await result).kind, 'signed')
    else
      await assert.rejects(result, {
        code: 'ENVS_IMAGE_SIGNATURE',
        message: /is good: one is for "127\.0\.0\.1:5391\/team/,
      })
  })
}

test('a bundle without a name is not enough for a policy, which demands one, and it is told why', async () => {
  const key = makeKey('p256')
  const source = testRepository()
  source.refer(INDEX, source.put(key.bundle(statementFor()), BUNDLE_TYPE))
  const policy = {default: signedBy({keyData: Buffer.from(key.pem).toString('base64')})}
  await assert.rejects(verified({source, name: 'a/b:1', policy}), {
    code: 'ENVS_IMAGE_SIGNATURE',
    message: /one states no name, and the policy demands one \(cosign 3 writes none\); /,
  })
})

test('a bundle that states a name is enough for a policy', async () => {
  const policy = {default: signedBy({keyPath: P256})}
  const trust = await verified({source: testRepository('team/bundle'), name: 'team/bundle:1', policy})
  assert.equal(trust.kind, 'signed')
})

/** None of these may count as fewer demands. */
const UNSUPPORTED: readonly {requirement: object; demand: string}[] = [
  {requirement: {type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k'}, demand: 'the requirement "signedBy"'},
  {requirement: {type: 'signedBaseLayer'}, demand: 'the requirement "signedBaseLayer"'},
  {requirement: {}, demand: 'the requirement "undefined"'},
  {
    requirement: {type: 'insecureAcceptAnything', unless: 1},
    demand: 'the field "unless" of "insecureAcceptAnything"',
  },
  {requirement: {type: 'reject', unless: 1}, demand: 'the field "unless" of "reject"'},
  {requirement: {type: 'sigstoreSigned', pki: {}}, demand: 'the field "pki" of "sigstoreSigned"'},
  {
    requirement: {type: 'sigstoreSigned', keyPath: P256, tsa: 1},
    demand: 'the field "tsa" of "sigstoreSigned"',
  },
  {
    requirement: {type: 'sigstoreSigned', keyPath: P256, signedIdentity: {type: 'matchTag'}},
    demand: 'the signedIdentity "matchTag"',
  },
  {
    requirement: {type: 'sigstoreSigned', keyPath: P256, signedIdentity: {type: 'matchExact', tag: '1'}},
    demand: 'the field "tag" of "signedIdentity"',
  },
  {
    requirement: {
      ...{type: 'sigstoreSigned', rekorPublicKeyPath: P256},
      fulcio: {caData: '', oidcIssuer: 'a', subjectEmail: 'b', subjectURI: 'c'},
    },
    demand: 'the field "subjectURI" of "fulcio"',
  },
]

for (const {requirement, demand} of UNSUPPORTED) {
  test(`${demand} is refused in the scope of the image, and not looked at in another`, () => {
    const policy = (scope: string) => ({default: ACCEPT, transports: {docker: {[scope]: [requirement]}}})
    assert.throws(() => plan('a.example/b:1', policy('a.example')), {
      code: 'ENVS_TRUST_POLICY_UNSUPPORTED',
      exitCode: 6,
      message: `Could not check a.example/b:1: the trust policy "registries.trust" has ${demand} in its scope "a.example", which envs does not support.`,
    })
    assert.deepEqual(plan('a.example/b:1', policy('b.example')).requirements, [])
  })
}

const MALFORMED: readonly {policy: object | string; reason: RegExp}[] = [
  {policy: '{', reason: /: it is not JSON without repeated names\.$/},
  {
    policy: '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
    reason: /repeated names\.$/,
  },
  {
    policy:
      '{"default":[{"type":"reject"}],"transports":{"docker":{"a.example":[{"type":"reject","\\u0074ype":"insecureAcceptAnything"}]}}}',
    reason: /repeated names\.$/,
  },
  {policy: {}, reason: /: "default" is not a list of requirements\.$/},
  {policy: {default: []}, reason: /: "default" is not a list of requirements\.$/},
  {policy: {default: REJECT, defaults: ACCEPT}, reason: /: "defaults" is not a field of a policy\.$/},
  {policy: {default: REJECT, transports: []}, reason: /: "transports" is not an object\.$/},
  {policy: {default: REJECT, transports: {docker: []}}, reason: /: "transports\.docker" is not an object\.$/},
  {
    policy: {default: REJECT, transports: {docker: {'a.example': []}}},
    reason: /: "a\.example" is not a list/,
  },
  {policy: {default: ['reject']}, reason: /: in "default", a requirement is not an object\.$/},
  {policy: {default: signedBy({})}, reason: /sigstoreSigned must have either keys or "fulcio"\.$/},
  {
    policy: {default: signedBy({keyPath: P256, keyData: 'a'})},
    reason: /"keyPath" and "keyData" exclude each other\.$/,
  },
  {policy: {default: signedBy({keyPath: 'cosign.pub'})}, reason: /"keyPath" is not an absolute path\.$/},
  {policy: {default: signedBy({keyPaths: []})}, reason: /"keyPaths" is not a text\.$/},
  {
    policy: {default: signedBy({keyPath: P256}, {type: 'exactReference'})},
    reason: /"dockerReference" of "exactReference" is not a name\.$/,
  },
  {
    policy: {default: signedBy({fulcio: {caData: '', oidcIssuer: 'a', subjectEmail: 'b'}})},
    reason: /"fulcio" must have the key of a Rekor log beside it\.$/,
  },
]

for (const [index, {policy, reason}] of MALFORMED.entries()) {
  test(`malformed policy ${index + 1}: ${reason.source}`, () => {
    assert.throws(() => plan('a.example/b:1', policy), {
      code: 'ENVS_TRUST_POLICY',
      exitCode: 7,
      message: reason,
    })
  })
}

test('a key of the policy that is missing is refused with its path', () => {
  assert.throws(() => plan('a.example/b:1', {default: signedBy({keyPath: '/nowhere/k.pub'})}), {
    code: 'ENVS_PUBLIC_KEY',
    message: 'Could not use the public key "/nowhere/k.pub": no such file or directory.',
  })
})

test('words of --verify that are half an identity are no path', async () => {
  for (const verify of ['issuer=https://a.example', 'identity=a', 'issuer=a,identity-regexp=('])
    await assert.rejects(verified({source: testRepository(), name: 'a/b', verify: [verify]}), {
      code: 'ENVS_USAGE',
      exitCode: 2,
    })
})
