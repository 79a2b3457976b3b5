import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {fileScope} from '../support/file-scope.js'
import {startRegistry, TESTER} from '../support/registry.js'
import {authFileText, writeHomeFile} from '../support/registry-client.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'

// podman is no program that the tests of .ci/run install: npm run test:live.

const scope = fileScope()
const registry = await startRegistry(scope, 'basic')

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

test('an image goes to podman and from there back to envs', async (t) => {
  const {cli, other} = await tiny(t)
  await ok(cli, 'export', 'tiny', '--format', 'oci', '-o', 'x.tar')
  await ok(cli, 'export', 'tiny', '-o', 'before.tar')
  const store = ['podman', '--root', join(cli.home, 'store'), '--runroot', join(cli.home, 'tmp/run')]
  const back = `${registry.host}/back/tiny:1`
  try {
    await other(...store, 'load', '-q', '-i', 'x.tar')
    await other(
      ...store,
      'push',
      '-q',
      '--cert-dir',
      join(registry.certificates, registry.host),
      'tiny',
      back,
    )
  } finally {
    // Files of other ids, which only podman may remove.
    await other('podman', 'unshare', 'rm', '-rf', join(cli.home, 'store'))
    // It stays for later calls.
    await other('sh', '-c', 'kill "$(cat "$XDG_RUNTIME_DIR/libpod/tmp/pause.pid")"')
  }
  await ok(cli, 'create', back, '-n', 'back', '--identity', 'emulated', '-q')
  await ok(cli, 'export', 'back', '-o', 'after.tar')
  // Without the mount points, whose times are those of the creation, and what envs and the host write into /etc.
  const listing = (file: string) =>
    other('sh', '-c', `tar --numeric-owner -tvf ${file} | grep -Ev ' \\./($|dev|etc|proc|run|sys)'`)
  assert.equal(await listing('after.tar'), await listing('before.tar'))
})
