import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {parseImageConfig, parseManifest} from '../../../src/registry/manifest.js'
import {searchRegistry} from '../../../src/registry/search.js'
import {fileScope} from '../../support/file-scope.js'
import {descriptorOf, jsonBytes, sampleImage} from '../../support/oci-image.js'
import {startRegistry, TESTER} from '../../support/registry.js'
import {
  authFileText,
  type ClientOptions,
  homeOfTester,
  openAs,
  pushImage,
  registryOptions,
  writeHomeFile,
} from '../../support/registry-client.js'

const scope = fileScope()
const plain = await startRegistry(scope, 'plain')
const basic = await startRegistry(scope, 'basic')
const token = await startRegistry(scope, 'token')
const {signal} = new AbortController()

const byMode = {
  plain: {registry: plain, options: {settings: {insecure: [plain.host]}} as ClientOptions},
  basic: {
    registry: basic,
    options: {
      settings: {certificates: basic.certificates},
      home: await homeOfTester(scope, basic.host),
    } as ClientOptions,
  },
  token: {
    registry: token,
    options: {
      settings: {certificates: token.certificates},
      home: await homeOfTester(scope, token.host),
    } as ClientOptions,
  },
} as const

for (const [mode, {registry, options}] of Object.entries(byMode)) {
  test(`an image that was pushed to a registry (${mode}) is pulled byte for byte`, async (t) => {
    const layer = randomBytes(3_000_000)
    const image = sampleImage({layers: [layer, Buffer.alloc(0)]})
    const name = `${registry.host}/team/${mode}:1.0`
    await pushImage(await openAs(t, name, {...options, actions: 'pull,push'}), image, '1.0')

    const repository = await openAs(t, name, options)
    const {bytes, mediaType, digest} = await repository.manifest(undefined)
    assert.deepEqual([bytes, mediaType, digest], [image.manifest, image.mediaType, image.digest])
    const manifest = parseManifest(bytes, mediaType)
    assert.ok(manifest.kind === 'image')
    const config = await buffer(await repository.blob(manifest.config, {signal}))
    assert.deepEqual(
      parseImageConfig(config).diffIds,
      image.layers.map((each) => each.digest),
    )
    const bodies = await Promise.all(
      manifest.layers.map(async (each) => buffer(await repository.blob(each, {signal}))),
    )
    assert.deepEqual(bodies, [layer, Buffer.alloc(0)])
    assert.equal(repository.answeredBy, registry.host)
  })
}

const {registry, options} = byMode.token

async function pushed(t: Parameters<typeof openAs>[0], repository: string, tag: string) {
  const image = sampleImage({layers: [randomBytes(1000)]})
  const opened = await openAs(t, `${registry.host}/${repository}`, {...options, actions: 'pull,push'})
  await pushImage(opened, image, tag)
  return {image, opened}
}

test('a blob is read from an offset', async (t) => {
  const {image, opened} = await pushed(t, 'team/offset', 'latest')
  const [layer = image.config] = image.layers
  const whole = image.blobs.get(layer.digest)
  for (const offset of [0, 1, 999, 1000]) {
    const rest = await buffer(await opened.blob(layer, {offset, signal}))
    assert.deepEqual(rest, whole?.subarray(offset))
  }
})

test('a registry tells which blobs it has, and mounts them from another repository', async (t) => {
  const {image} = await pushed(t, 'team/from', 'latest')
  const {digest} = image.config
  const to = await openAs(t, `${registry.host}/team/to`, {...options, actions: 'pull,push'})
  assert.equal(await to.hasBlob(digest), false)
  assert.equal(await to.mountBlob(digest, 'team/without'), false)
  assert.equal(await to.mountBlob(digest, 'team/from'), true)
  assert.equal(await to.hasBlob(digest), true)
})

test('the digest of a tag is asked for without its manifest', async (t) => {
  const {image, opened} = await pushed(t, 'team/head', '2')
  assert.equal(await opened.head('2'), image.digest)
  assert.equal(await opened.head('3'), undefined)
})

test('a manifest is fetched by its digest', async (t) => {
  const {image} = await pushed(t, 'team/digest', 'latest')
  const repository = await openAs(t, `${registry.host}/team/digest:other@${image.digest}`, options)
  assert.deepEqual((await repository.manifest(undefined)).bytes, image.manifest)
})

test('tags and the catalogue are listed', async (t) => {
  const {image, opened} = await pushed(t, 'team/tags', 'one')
  await opened.pushManifest(image.manifest, image.mediaType, 'two')
  assert.deepEqual([...(await opened.tags())].sort(), ['one', 'two'])
  const search = async (word: string) =>
    (await searchRegistry(`${registry.host}/${word}`, await registryOptions(t, options))).names
  assert.ok((await search('')).includes(`${registry.host}/team/tags`))
  assert.deepEqual(await search('eam/ta'), [`${registry.host}/team/tags`])
  assert.deepEqual([...(await search('team/tags'))].sort(), [
    `${registry.host}/team/tags:one`,
    `${registry.host}/team/tags:two`,
  ])
})

test('referrers are found by their tag where a registry has no list of them', async (t) => {
  const {image, opened} = await pushed(t, 'team/signed', 'latest')
  assert.deepEqual(await opened.referrers(image.digest), [])
  const signature = sampleImage({fields: {artifactType: 'application/vnd.example.signature'}})
  await pushImage(opened, signature, signature.digest)
  const referrer = {
    ...descriptorOf(signature.manifest, signature.mediaType),
    artifactType: 'application/vnd.example.signature',
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const index = jsonBytes({schemaVersion: 2, mediaType, manifests: [referrer]})
  await opened.pushManifest(index, mediaType, image.digest.replace(':', '-'))
  assert.deepEqual(await opened.referrers(image.digest), [referrer])
  assert.deepEqual(await opened.referrers(image.digest, 'application/vnd.example.other'), [])
})

test('a token is asked for once for all requests of a scope, with the password only then', async (t) => {
  const {image} = await pushed(t, 'team/once', 'latest')
  const before = token.tokenRequests.length
  const repository = await openAs(t, `${registry.host}/team/once`, options)
  await repository.manifest('latest')
  await repository.blob(image.config, {signal}).then(buffer)
  const asked = token.tokenRequests.slice(before)
  assert.deepEqual(
    asked.map(({method, fields}) => [method, fields.getAll('scope'), fields.get('service')]),
    [['GET', ['repository:team/once:pull'], 'test-registry']],
  )
})

test('an identity token is exchanged by POST, and is in no URL', async (t) => {
  await pushed(t, 'team/identity', 'latest')
  const before = token.tokenRequests.length
  const home = await homeOfTester(t)
  const auths = {[registry.host]: {identitytoken: TESTER.identityToken}}
  await writeHomeFile(home, '.config/containers/auth.json', JSON.stringify({auths}))
  const repository = await openAs(t, `${registry.host}/team/identity`, {...options, home})
  await repository.manifest('latest')
  const asked = token.tokenRequests.slice(before)
  assert.deepEqual(
    asked.map(({method, target}) => [method, target]),
    [['POST', '/token']],
  )
})

test('a public image needs no credentials, and a private one says how to sign in', async (t) => {
  await pushed(t, 'public/tool', 'latest')
  await pushed(t, 'team/private', 'latest')
  const anonymous = {settings: options.settings ?? {}}
  const open = (name: string) => openAs(t, `${registry.host}/${name}`, anonymous)
  assert.match((await (await open('public/tool')).manifest(undefined)).digest, /^sha256:/)
  await assert.rejects((await open('team/private')).manifest(undefined), {
    code: 'ENVS_REGISTRY_UNAUTHORIZED',
    exitCode: 5,
    message: `${registry.host} refuses access to "${registry.host}/team/private" without credentials.`,
    suggestions: [
      'Check the name: registries refuse access to names that do not exist, too.',
      `Sign in with podman login ${registry.host} or docker login ${registry.host}; envs reads the credentials of both.`,
    ],
  })
})

test('a token that has expired is asked for again', async (t) => {
  const short = await startRegistry(t, 'token', {expiredTokens: 1, data: token.data})
  const home = await homeOfTester(t, short.host)
  const {image} = await pushed(t, 'team/short', 'latest')
  const repository = await openAs(t, `${short.host}/team/short`, {
    settings: {certificates: short.certificates},
    home,
  })
  assert.equal((await repository.manifest('latest')).digest, image.digest)
  assert.equal(short.tokenRequests.length, 2)
})

test('a wrong password is said to be refused, by the file that has it', async (t) => {
  const home = await homeOfTester(t)
  const file = await writeHomeFile(
    home,
    '.docker/config.json',
    authFileText({[basic.host]: {user: 'tester', password: 'wrong'}}),
  )
  const repository = await openAs(t, `${basic.host}/team/x`, {...byMode.basic.options, home})
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_REGISTRY_UNAUTHORIZED',
    message: `${basic.host} refuses access to "${basic.host}/team/x" with the credentials in ${file}.`,
  })
})

test('a missing tag is told from a missing repository, with tags that are alike', async (t) => {
  const {image, opened} = await pushed(t, 'team/alike', '12.1')
  await opened.pushManifest(image.manifest, image.mediaType, '12.2')
  await assert.rejects(opened.manifest('12.3'), {
    code: 'ENVS_NOT_IN_REGISTRY',
    exitCode: 3,
    message: `There is no tag "12.3" in "${registry.host}/team/alike".`,
    suggestions: [`Did you mean ${registry.host}/team/alike:12.1 or ${registry.host}/team/alike:12.2?`],
  })
  const other = await openAs(t, `${registry.host}/team/nothing`, options)
  await assert.rejects(other.manifest('12'), {
    code: 'ENVS_NOT_IN_REGISTRY',
    message: `There is no repository "team/nothing" in "${registry.host}".`,
  })
})

test('a registry whose certificate nobody vouches for is refused', async (t) => {
  const repository = await openAs(t, `${registry.host}/team/x`, {home: options.home ?? ''})
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_REGISTRY_UNREACHABLE',
    message: new RegExp(`^The registry ${registry.host} failed: its certificate is not trusted`),
  })
})

test('an insecure host may have any certificate', async (t) => {
  const repository = await openAs(t, `${basic.host}/team/basic:1.0`, {
    home: byMode.basic.options.home ?? '',
    settings: {insecure: [basic.host]},
  })
  assert.match((await repository.manifest(undefined)).digest, /^sha256:/)
})

test('plain HTTP needs the setting', async (t) => {
  const repository = await openAs(t, `${plain.host}/team/x`)
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_REGISTRY_PLAIN_HTTP',
    suggestions: [
      `If nobody else can listen on the way to it, accept plain HTTP: envs config set registries.insecure ${plain.host}`,
    ],
  })
})

test('a blob that does not have its digest is refused by the registry', async (t) => {
  const {opened} = await pushed(t, 'team/wrong', 'latest')
  const {digest, size} = descriptorOf(Buffer.from('right'), '')
  await assert.rejects(
    opened.pushBlob({digest, size}, () => Readable.from([Buffer.from('wrong')], {objectMode: false})),
    {code: 'ENVS_REGISTRY_UNREACHABLE', message: /status 400 \(DIGEST_INVALID/},
  )
})
