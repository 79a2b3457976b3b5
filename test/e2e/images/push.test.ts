import assert from 'node:assert/strict'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {readImageFile} from '../../support/image-file.js'
import {startRegistry, TESTER, type TestRegistry} from '../../support/registry.js'
import {authFileText, writeHomeFile} from '../../support/registry-client.js'
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
