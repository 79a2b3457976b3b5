import assert from 'node:assert/strict'
import {EventEmitter, once} from 'node:events'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {startServer} from '../../support/http-server.js'
import {readImageFile} from '../../support/image-file.js'
import {startRegistry, TESTER, type TestRegistry} from '../../support/registry.js'
import {authFileText, writeHomeFile} from '../../support/registry-client.js'
import {noOverlays} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const scope = fileScope()
const plain = await startRegistry(scope, 'plain')

/** A small environment called tiny, of a user who may push to a registry. */
async function tiny(t: TestContext, {host, certificates}: TestRegistry = plain): Promise<EnvironmentCli> {
  const cli = await environmentCli(t, {
    ENVS_REGISTRIES_INSECURE: plain.host,
    ENVS_REGISTRIES_CERTIFICATES: certificates,
  })
  if (host !== plain.host)
    await writeHomeFile(cli.home, '.docker/config.json', authFileText({[host]: TESTER}))
  const {path} = await tinyRootfs(t)
  const made = await cli.run('create', path, '--identity', 'emulated', '-q')
  assert.equal(made.status, 0, made.stderr)
  return cli
}

/** How each blob of the image came to the registry: its layers, then its configuration. */
function howSent(stdout: string): string[] {
  return JSON.parse(stdout).blobs.map(({how}: {how: string}) => how)
}

test('a layer that the registry has is not sent again', async (t) => {
  const cli = await tiny(t)
  const to = `${plain.host}/team/tiny`
  const first = await cli.run('push', 'tiny', `${to}:1`, '--json')
  assert.deepEqual(howSent(first.stdout), ['sent', 'sent'], first.stderr)
  const second = await cli.run('push', 'tiny', `docker://${to}`, '--label', 'a=b', '--json')
  assert.deepEqual(howSent(second.stdout), ['there', 'sent'])
  assert.equal(JSON.parse(second.stdout).reference, `${to}:latest`)
  const {stdout} = await capture(['skopeo', 'inspect', '--tls-verify=false', `docker://${to}`])
  const {Digest, Labels} = JSON.parse(stdout)
  assert.deepEqual([Digest, Labels], [JSON.parse(second.stdout).digest, {a: 'b'}])
})

test('a push has the image that the export has', async (t) => {
  const cli = await tiny(t)
  const env = {SOURCE_DATE_EPOCH: '1700000000'}
  const flags = ['--format', 'docker', '--cmd', '["a"]']
  const pushed = await cli.runWith({env}, 'push', 'tiny', `${plain.host}/same`, ...flags, '--json')
  await cli.runWith({env}, 'export', 'tiny', '-o', 'x.tar', ...flags)
  const image = await readImageFile(t, join(cli.home, 'x.tar'))
  assert.equal(image.index.manifests[0]?.digest, JSON.parse(pushed.stdout).digest)
})

for (const mode of ['basic', 'token'] as const) {
  test(`push signs in with the credentials of docker login, ${mode}`, async (t) => {
    const registry = await startRegistry(t, mode)
    const cli = await tiny(t, registry)
    const run = await cli.run('push', 'tiny', `${registry.host}/team/tiny:1`, '-q')
    assert.deepEqual(
      [run.status, run.stdout],
      [0, `Pushed tiny to ${registry.host}/team/tiny:1\n`],
      run.stderr,
    )
    await writeHomeFile(cli.home, '.docker/config.json', '{}')
    const refused = await cli.run('push', 'tiny', `${registry.host}/team/tiny:1`, '--json')
    assert.deepEqual(
      [refused.status, JSON.parse(refused.stdout).error.code],
      [5, 'ENVS_REGISTRY_UNAUTHORIZED'],
    )
  })
}

test('an image of a registry keeps its layers', {skip: noOverlays}, async (t) => {
  const other = await startRegistry(t, 'plain')
  const source = await startRegistry(t, 'plain')
  const cli = await environmentCli(t, {
    ENVS_REGISTRIES_INSECURE: [source.host, other.host].join(),
  })
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated', '-q')
  const first = await cli.run('push', 'tiny', `${source.host}/base`, '--label', 'a=b', '--json')
  const {digest, layers} = JSON.parse(first.stdout)
  const made = await cli.run('create', `${source.host}/base`, '-n', 'again', '--identity', 'emulated', '-q')
  assert.equal(made.status, 0, made.stderr)

  for (const [to, how] of [
    [`${source.host}/base:same`, ['there', 'there']],
    [`${source.host}/beside`, ['mounted', 'sent']],
    [`${other.host}/copy`, ['sent', 'sent']],
  ] as const) {
    const run = await cli.run('push', 'again', to, '--json')
    assert.deepEqual(howSent(run.stdout), how, run.stdout)
    assert.equal(JSON.parse(run.stdout).digest, digest)
  }
  await cli.run('export', 'again', '--format', 'oci', '-o', 'again.tar')
  const image = await readImageFile(t, join(cli.home, 'again.tar'))
  assert.equal(image.index.manifests[0]?.digest, digest)

  const changed = await cli.run('push', 'again', `${other.host}/copy`, '--cmd', '["x"]', '--json')
  assert.deepEqual(howSent(changed.stdout), ['there', 'sent'])
  const {stdout} = await capture([
    'skopeo',
    'inspect',
    '--config',
    '--tls-verify=false',
    `docker://${other.host}/copy`,
  ])
  const {config, history} = JSON.parse(stdout)
  assert.deepEqual([config.Labels, config.Cmd, history.length], [{a: 'b'}, ['x'], 1])

  await source.stop()
  const packed = await cli.run('export', 'again', '--format', 'oci', '-o', 'packed.tar', '--json')
  assert.equal(packed.status, 0, packed.stdout)
  assert.match(
    packed.stderr,
    /^envs: warning: The layers of .*\/base were packed again, and have other digests: /,
  )
  assert.notEqual(JSON.parse(packed.stdout).image.layers[0].entries, null)
  assert.equal(layers.length, JSON.parse(packed.stdout).image.layers.length)
})

for (const [what, name, status, code] of [
  ['a digest', `${plain.host}/a@sha256:${'0'.repeat(64)}`, 2, 'ENVS_USAGE'],
  ['a name in upper case', `${plain.host}/A`, 2, 'ENVS_BAD_REFERENCE'],
] as const) {
  test(`push refuses ${what}`, async (t) => {
    const cli = await environmentCli(t)
    const run = await cli.run('push', 'tiny', name, '--json')
    assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [status, code])
  })
}

test('push refuses an environment that is not there, and sends nothing', async (t) => {
  const cli = await environmentCli(t, {ENVS_REGISTRIES_INSECURE: plain.host})
  const before = plain.log()
  const run = await cli.run('push', 'nothing', `${plain.host}/nothing`, '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [3, 'ENVS_NOT_FOUND'])
  assert.equal(plain.log(), before)
})

test('an environment is free while its layers are sent', {skip: noOverlays}, async (t) => {
  const steps = new EventEmitter()
  const sending = once(steps, 'sending')
  const released = once(steps, 'released')
  const server = await startServer(t, (request, response) => {
    if (request.method === 'HEAD') response.writeHead(404).end()
    else if (request.method === 'POST') response.writeHead(202, {location: '/v2/team/tiny/upload'}).end()
    else {
      // The layer, its configuration, and then the manifest.
      steps.emit('sending')
      request.resume()
      void released.then(() => response.writeHead(201).end())
    }
  })
  const cli = await tiny(t)
  const env = {ENVS_REGISTRIES_INSECURE: server.origin.host}
  const pushing = cli.runWith({env}, 'push', 'tiny', `${server.origin.host}/team/tiny`, '--json')
  await Promise.race([sending, pushing])
  const meanwhile = await cli.run('snapshot', 'tiny', 'meanwhile', '-q')
  steps.emit('released')
  assert.equal(meanwhile.status, 0, meanwhile.stderr)
  const {status, stdout} = await pushing
  assert.deepEqual([status, howSent(stdout)], [0, ['sent', 'sent']], stdout)
})
