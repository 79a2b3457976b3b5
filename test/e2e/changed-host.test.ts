import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../support/environment-cli.js'
import {onRestrictedHost} from '../support/restricted-host.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {canSimulate} from '../support/simulated-host.js'
import {temporaryFolder} from '../support/temporary-folder.js'

const isRoot = process.getuid?.() === 0
const skip = isRoot
  ? 'root of the host has other trials'
  : !(await canSimulate()) && 'this host lets no user make a user namespace'
const noIds = skip || (await whyNotMapped())

type Gate = {
  readonly cli: EnvironmentCli
  readonly rootfs: string
  /** Has the programs refused from now on, as a change of AppArmor's policy does: their files stay the same. */
  deny(): Promise<void>
  /** Has the next start alone refused. */
  denyOnce(): Promise<void>
  /** How often the programs were started. */
  uses(): Promise<number>
}

/** A store of a user with programs that start the host's own of that name, until they are denied. */
async function gated(
  t: TestContext,
  programs: readonly string[],
  variables: Record<string, string> = {},
): Promise<Gate> {
  const folder = await temporaryFolder(t)
  const [bin, log] = [join(folder, 'bin'), join(folder, 'log')]
  await mkdir(bin)
  for (const program of programs) {
    const script = [
      '#!/bin/sh',
      `echo >>${log}`,
      `if [ -e ${folder}/once ]; then rm ${folder}/once; exit 1; fi`,
      `[ ! -e ${folder}/denied ] || exit 1`,
      `exec ${openHost().which(program)} "$@"`,
    ]
    await writeFile(join(bin, program), `${script.join('\n')}\n`, {mode: 0o755})
  }
  const cli = await environmentCli(t, {...variables, PATH: `${bin}:${process.env['PATH']}`})
  return {
    cli,
    rootfs: await runnableRootfs(cli.home),
    deny: () => writeFile(join(folder, 'denied'), ''),
    denyOnce: () => writeFile(join(folder, 'once'), ''),
    uses: async () => (await readFile(log, 'utf8')).length,
  }
}

async function created(cli: EnvironmentCli, prefix: readonly string[], ...argv: string[]) {
  const run = await cli.runBehind(prefix, 'create', ...argv, '--json')
  assert.equal(run.status, 0, run.stderr)
  return JSON.parse(run.stdout)
}

test('a change of the policy in the kernel has all trials repeated', {skip}, async (t) => {
  const {cli, rootfs, deny} = await gated(t, ['bwrap'])
  const revision = join(cli.home, 'revision')
  const host = onRestrictedHost({
    prepare: [
      'mount -t tmpfs tmpfs /sys/kernel/security',
      'mkdir /sys/kernel/security/apparmor',
      `cp ${revision} /sys/kernel/security/apparmor/revision`,
    ].join('\n'),
  })
  await writeFile(revision, '337\n')
  assert.equal((await created(cli, host, rootfs, '--name', 'before')).engine, 'bwrap')
  await deny()
  await writeFile(revision, '338\n')
  const {engine, storage} = await created(cli, host, rootfs, '--name', 'after')
  assert.deepEqual([engine, storage], ['unshare', 'overlay'])
})

test('a start that a remembered trial misled is repeated with new trials', {skip}, async (t) => {
  const {cli, rootfs, deny, uses} = await gated(t, ['bwrap'])
  const {engine} = await created(cli, [], rootfs, '--name', 'play')
  await deny()
  const run = await cli.run('run', 'play', 'true')
  assert.deepEqual([engine, run.status, run.stderr], ['bwrap', 0, ''])
  await cli.run('stop', 'play')
  const before = await uses()
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
  assert.equal(await uses(), before)
})

test('a start that fails although all trials were right is not repeated', {skip}, async (t) => {
  const {cli, rootfs, denyOnce} = await gated(t, ['bwrap'])
  await created(cli, [], rootfs, '--name', 'play')
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
  await cli.run('stop', 'play')
  await denyOnce()
  const failed = await cli.run('run', 'play', 'true')
  assert.equal(failed.status, 125)
  assert.match(failed.stderr, /Could not start the environment "play"/)
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
})

test('an environment is created with new trials where a remembered one misled', {skip: noIds}, async (t) => {
  const {cli, rootfs, deny} = await gated(t, ['newuidmap'], {ENVS_STORAGE: 'directory'})
  assert.equal((await created(cli, [], rootfs, '--name', 'before')).identity, 'mapped')
  await deny()
  assert.equal((await created(cli, [], rootfs, '--name', 'after')).identity, 'emulated')
  assert.deepEqual(await cli.storeEntries(), ['after', 'before'])
})

test('doctor corrects what is remembered of mapped ids', {skip: noIds}, async (t) => {
  const {cli, rootfs, deny} = await gated(t, ['newuidmap'])
  assert.equal((await created(cli, [], rootfs, '--name', 'before')).identity, 'mapped')
  await deny()
  assert.match((await cli.run('doctor')).stdout, /^warn {2}Subordinate ids: /m)
  const {identity, storage} = await created(cli, [], rootfs, '--name', 'after')
  assert.deepEqual([identity, storage], ['emulated', 'overlay'])
})

test('a mapped environment that can no longer be mapped says so, and not that layers fail', {
  skip: noIds,
}, async (t) => {
  const {cli, rootfs, deny} = await gated(t, ['unshare', 'newuidmap'])
  assert.equal((await created(cli, [], rootfs, '--name', 'play')).identity, 'mapped')
  await deny()
  const failed = await cli.run('run', 'play', 'true')
  assert.equal(failed.status, 125)
  assert.match(failed.stderr, /^envs: This host cannot provide the identity mapped: /)
})
