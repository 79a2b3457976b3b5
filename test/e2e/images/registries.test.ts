import assert from 'node:assert/strict'
import {test} from 'node:test'
import {sandboxedCli} from '../../support/cli.js'
import {fileScope} from '../../support/file-scope.js'
import {sampleImage} from '../../support/oci-image.js'
import {startRegistry, TESTER} from '../../support/registry.js'
import {authFileText, homeOfTester, openAs, pushImage, writeHomeFile} from '../../support/registry-client.js'

const scope = fileScope()
const registry = await startRegistry(scope, 'token')
const plain = await startRegistry(scope, 'plain', {data: registry.data})
const pusher = await openAs(scope, `${registry.host}/team/tool`, {
  home: await homeOfTester(scope, registry.host),
  settings: {certificates: registry.certificates},
  actions: 'pull,push',
})
await pushImage(pusher, sampleImage(), '1.2')

test('image search lists repositories and tags of a registry, with the credentials of docker login', async (t) => {
  const cli = await sandboxedCli(t)
  await writeHomeFile(cli.home, '.docker/config.json', authFileText({[registry.host]: TESTER}))
  await cli.run('config', 'set', 'registries.certificates', registry.certificates)
  assert.deepEqual(await cli.run('image', 'search', `docker://${registry.host}/`), {
    status: 0,
    signal: null,
    stdout: `NAME\n${registry.host}/team/tool\n`,
    stderr: '',
  })
  const {stdout} = await cli.run('image', 'search', `${registry.host}/team/tool`, '--json')
  assert.deepEqual(JSON.parse(stdout).registry, {
    host: registry.host,
    names: [`${registry.host}/team/tool:1.2`],
  })
})

test('image search says how to sign in', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'set', 'registries.certificates', registry.certificates)
  const {status, stderr} = await cli.run('image', 'search', `${registry.host}/team/tool`)
  assert.equal(status, 5)
  assert.equal(
    stderr,
    `envs: ${registry.host} refuses access to "${registry.host}/team/tool" without credentials.
  Check the name: registries refuse access to names that do not exist, too.
  Sign in with podman login ${registry.host} or docker login ${registry.host}; envs reads the credentials of both.
`,
  )
})

test('image search asks a registry without TLS only if the setting allows it', async (t) => {
  const cli = await sandboxedCli(t)
  const refused = await cli.run('image', 'search', `${plain.host}/`, '--json')
  assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [5, 'ENVS_REGISTRY_PLAIN_HTTP'])
  await cli.run('config', 'set', 'registries.insecure', `other.example,${plain.host}`)
  assert.equal(
    (await cli.run('config', 'get', 'registries.insecure')).stdout,
    `other.example,${plain.host}\n`,
  )
  const {stdout} = await cli.run('image', 'search', `${plain.host}/tool`)
  assert.equal(stdout, `NAME\n${plain.host}/team/tool\n`)
})

for (const [setting, value] of [
  ['registries.mirrors', 'docker.io'],
  ['registries.mirrors', 'docker.io=ftp://mirror.example'],
  ['registries.mirrors', 'docker.io=https://user:word@mirror.example'],
  ['registries.insecure', 'http://localhost:5000'],
  ['registries.certificates', 'certs'],
] as const) {
  test(`config set refuses ${value} for ${setting}`, async (t) => {
    const cli = await sandboxedCli(t)
    const {status, stdout} = await cli.run('config', 'set', setting, value, '--json')
    assert.deepEqual([status, JSON.parse(stdout).error.code], [2, 'ENVS_BAD_SETTING'])
  })
}
