import assert from 'node:assert/strict'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {EnvironmentDetails} from '../../../src/environments/show.js'
import type {ImageListResult} from '../../../src/images/results.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {fixturePath, HOST, INDEX} from '../../support/signed-images.js'
import {startSignedRegistry} from '../../support/signed-registry.js'

const P256 = fixturePath('p256.pub')
const OTHER = fixturePath('other.pub')

/** The signatures are for names of another host: a mirror of it serves them. */
async function withMirror(t: TestContext) {
  const registry = await startSignedRegistry(t)
  const cli = await environmentCli(t, {
    ENVS_IDENTITY: 'emulated',
    ENVS_REGISTRIES_MIRRORS: `${HOST}=${registry.origin.href}`,
    ENVS_REGISTRIES_INSECURE: registry.host,
  })
  return {registry, cli}
}

/** The names of the fixtures under the host of the registry itself, which no signature is for. */
async function withCopy(t: TestContext) {
  const registry = await startSignedRegistry(t)
  const cli = await environmentCli(t, {
    ENVS_IDENTITY: 'emulated',
    ENVS_REGISTRIES_INSECURE: registry.host,
  })
  return {registry, cli}
}

async function writePolicy({home}: EnvironmentCli, policy: object): Promise<string> {
  const folder = join(home, '.config/containers')
  await mkdir(folder, {recursive: true})
  const path = join(folder, 'policy.json')
  await writeFile(path, JSON.stringify(policy))
  return path
}

/** Nothing was made, and no layer was fetched. */
async function assertNothingMade(cli: EnvironmentCli, seen: readonly {target: string | undefined}[]) {
  assert.deepEqual(await cli.storeEntries(), [])
  assert.deepEqual(await readdir(join(cli.data, 'layers')).catch(() => []), [])
  const layers = ['fa70306c032b6a4d', '434cfef63466a665']
  assert.deepEqual(
    seen.filter(({target}) => layers.some((layer) => target?.includes(layer))),
    [],
  )
}

test('an image that a mirror serves is verified under the name that was typed, and its signer is shown', async (t) => {
  const {cli, registry} = await withMirror(t)
  const created = await cli.run('create', `${HOST}/team/p256:1`, '--name', 'tool', '--verify', P256, '--json')
  assert.equal(created.status, 0, created.stderr)
  const {image}: EnvironmentDetails = JSON.parse(created.stdout)
  assert.equal(image.trust, 'signed')
  const {digest, signers} = image.container?.signature ?? {}
  assert.deepEqual([digest, signers?.map((signer) => signer.kind === 'key' && signer.name)], [INDEX, [P256]])
  const shown = await cli.run('show', 'tool')
  assert.match(shown.stdout, /^Trust +it has each signature that was demanded$/m)
  assert.match(shown.stdout, new RegExp(`^Signer +${P256}, sha256:[0-9a-f]{64}$`, 'm'))

  const before = registry.seen.length
  const again = await cli.run('create', `${HOST}/team/p256:1`, '--name', 'second', '--verify', P256)
  assert.equal(again.status, 0, again.stderr)
  const asked = registry.seen.slice(before).map(({target}) => target ?? '')
  assert.deepEqual(
    asked.filter((target) => target.includes('.sig')),
    [],
    'the kept signature is enough',
  )
})

test('without a demand an image of a registry is taken, and image pull --verify then keeps its signature', async (t) => {
  const {cli} = await withMirror(t)
  const plain = await cli.run('create', `${HOST}/team/p256:1`, '--name', 'plain', '--json')
  assert.equal(plain.status, 0, plain.stderr)
  const {image}: EnvironmentDetails = JSON.parse(plain.stdout)
  assert.deepEqual([image.trust, image.container?.signature], ['registry', null])
  const pulled = await cli.run('image', 'pull', `${HOST}/team/p256:1`, '--verify', P256)
  assert.equal(pulled.status, 0, pulled.stderr)
  const list = await cli.run('image', 'list', '--json')
  const [kept]: ImageListResult = JSON.parse(list.stdout)
  assert.equal(kept?.container?.signature?.digest, INDEX)
})

for (const [title, repository, key, message] of [
  ['an image that is signed by another key', 'team/p256', OTHER, /one is by another key/],
  [
    'an image that is signed under another name',
    'team/p256',
    P256,
    /one is for "127\.0\.0\.1:5391\/team\/p256"/,
  ],
  ['an image that is not signed', 'team/unsigned', P256, /team\/unsigned:1 is not signed/],
] as const) {
  test(`${title} is refused before a layer is fetched`, async (t) => {
    const {cli, registry} = await withCopy(t)
    const run = await cli.run('create', `${registry.host}/${repository}:1`, '--name', 'x', '--verify', key)
    assert.equal(run.status, 6)
    assert.match(run.stderr, message)
    await assertNothingMade(cli, registry.seen)
  })
}

test("podman's policy counts: it rejects without a request, and states the old name of a copy", async (t) => {
  const {cli, registry} = await withCopy(t)
  const path = await writePolicy(cli, {default: [{type: 'reject'}]})
  const image = `${registry.host}/team/p256:1`
  const rejected = await cli.run('create', image, '--name', 'x')
  assert.equal(rejected.status, 6)
  assert.match(
    rejected.stderr,
    new RegExp(`The trust policy "${path}" rejects ${image}: its scope is "default"`),
  )
  assert.deepEqual(registry.seen, [])
  const identity = {type: 'exactRepository', dockerRepository: `${HOST}/team/p256`}
  const requirement = {type: 'sigstoreSigned', keyPath: P256, signedIdentity: identity}
  await writePolicy(cli, {
    default: [{type: 'reject'}],
    transports: {docker: {[`${registry.host}/team`]: [requirement]}},
  })
  const accepted = await cli.run('create', image, '--name', 'x', '--json')
  assert.equal(accepted.status, 0, accepted.stderr)
  const {image: record}: EnvironmentDetails = JSON.parse(accepted.stdout)
  assert.deepEqual(record.container?.signature?.policy, {file: path, scope: `${registry.host}/team`})
})

test('the setting registries.trust is read in place of the policy of podman', async (t) => {
  const {cli, registry} = await withCopy(t)
  await writePolicy(cli, {default: [{type: 'signedBy'}]})
  const image = `${registry.host}/team/p256:1`
  const refused = await cli.run('create', image, '--name', 'x')
  assert.equal(refused.status, 6)
  assert.match(
    refused.stderr,
    /has the requirement "signedBy" in its scope "default", which envs does not support/,
  )
  const set = ['config', 'set', 'registries.trust', '{"default":[{"type":"insecureAcceptAnything"}]}']
  assert.equal((await cli.run(...set)).status, 0)
  assert.equal((await cli.run('create', image, '--name', 'x')).status, 0)
})

test('try --verify runs an image that the key has signed, and none that another has', async (t) => {
  const copy = await withCopy(t)
  const image = `${copy.registry.host}/team/p256:1`
  const refused = await copy.cli.run('try', image, '--verify', OTHER, '--', '/nothing')
  assert.equal(refused.status, 125)
  assert.match(refused.stderr, /one is by another key/)
  await assertNothingMade(copy.cli, copy.registry.seen)
  // The image has no program: that one is missing is found behind the signature.
  const {cli} = await withMirror(t)
  const ran = await cli.run('try', `${HOST}/team/p256:1`, '--verify', P256, '--', '/nothing')
  assert.equal(ran.status, 127)
  assert.match(ran.stderr, /"\/nothing" was not found/)
})

test('--verify is refused where it would be ignored', async (t) => {
  const cli = await environmentCli(t)
  for (const image of ['noble', './rootfs.tar', 'https://example.org/rootfs.tar', 'oci:./layout']) {
    const run = await cli.run('create', image, '--name', 'x', '--verify', P256)
    assert.equal(run.status, 2, image)
    assert.match(run.stderr, /--verify is for images of registries\./)
  }
})
