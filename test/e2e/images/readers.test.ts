import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {startRegistry, TESTER} from '../../support/registry.js'
import {authFileText, writeHomeFile} from '../../support/registry-client.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'

const scope = fileScope()
const registry = await startRegistry(scope, 'basic')
const NAME = `${registry.host}/team/tiny:1`

/** An environment called tiny, and other programs in its home. */
async function tiny(t: TestContext) {
  const cli = await environmentCli(t, {ENVS_REGISTRIES_CERTIFICATES: registry.certificates})
  await writeHomeFile(cli.home, '.docker/config.json', authFileText({[registry.host]: TESTER}))
  await ok(cli, 'create', await runnableRootfs(cli.home), '-n', 'tiny', '--identity', 'emulated', '-q')
  await mkdir(join(cli.home, 'tmp'))
  const env = {
    ...cli.env,
    USER: TESTER.user,
    TMPDIR: join(cli.home, 'tmp'),
    CH_IMAGE_STORAGE: join(cli.home, 'charliecloud'),
    CH_IMAGE_USERNAME: TESTER.user,
    CH_IMAGE_PASSWORD: TESTER.password,
  }
  const other = async (...argv: string[]) => {
    const {status, stdout, stderr} = await capture(argv, {cwd: cli.home, env, timeout: 120_000})
    assert.equal(status, 0, `${argv.join(' ')}: ${stderr}`)
    return stdout
  }
  return {cli, other}
}

async function ok(cli: EnvironmentCli, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}

/** Kind, mode, size and target of each entry of a folder, and the digests of the files. charliecloud writes into other folders. */
const LIST =
  "find usr -printf '%P %y %m %l\n' | LC_ALL=C sort; find usr -type f -exec sha256sum {} + | LC_ALL=C sort"

test('charliecloud pulls what was pushed', async (t) => {
  const {cli, other} = await tiny(t)
  await ok(cli, 'push', 'tiny', NAME, '-q')
  await other('ch-image', 'pull', '--auth', '--tls-no-verify', NAME, 'tiny')
  await ok(cli, 'export', 'tiny', '--format', 'oci', '-o', 'x.tar')
  await other('skopeo', '--insecure-policy', 'copy', '-q', 'oci-archive:x.tar:latest', 'oci:layout:1')
  await other('umoci', 'unpack', '--rootless', '--image', 'layout:1', 'tree')
  const wanted = await other('sh', '-c', `cd tree/rootfs && ${LIST}`)
  const found = await other('sh', '-c', `cd charliecloud/img/tiny && ${LIST}`)
  assert.equal(found, wanted)
})
