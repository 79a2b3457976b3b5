import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {foreignRootfs, giveQemu} from '../../support/foreign-programs.js'
import {whyNoTable} from '../../support/foreign-table.js'
import {IDENTITIES} from '../../support/guest.js'

const skip = await whyNoTable()

/** What a command printed that ended well. */
async function said(cli: EnvironmentCli, ...argv: string[]): Promise<string> {
  const ran = await cli.run(...argv)
  assert.equal(ran.status, 0, `${argv.join(' ')}: ${ran.stderr}`)
  return ran.stdout
}

for (const engine of ['bwrap', 'unshare']) {
  for (const {identity, skip: noIdentity} of IDENTITIES) {
    test(`${engine}, ${identity}: programs of arm64 run, for root and for a user`, {
      skip: skip || noIdentity,
    }, async (t) => {
      const cli = await environmentCli(t, {ENVS_ENGINE: engine})
      await giveQemu(cli)
      const image = await foreignRootfs()
      await said(cli, 'create', image, '--arch', 'arm64', '--name', 'arm', '--identity', identity)
      assert.equal(await said(cli, 'run', 'arm', '--', 'uname', '-m'), 'aarch64\n')
      // Joins what the first one started; the shell executes programs by itself.
      const script =
        'id -u; touch /tmp/file; chown 33 /tmp/file && echo given; cat /proc/1/comm >/dev/null; uname -m'
      assert.equal(await said(cli, 'run', 'arm', '--', 'sh', '-c', script), '0\ngiven\naarch64\n')
      assert.equal(
        await said(cli, 'run', '-u', 'ann', 'arm', '--', 'sh', '-c', 'id -u; uname -m'),
        '1000\naarch64\n',
      )
      const owner = await said(cli, 'run', 'arm', '--', 'stat', '-c', '%u', '/tmp/file')
      assert.equal(owner, identity === 'mapped' ? '33\n' : '0\n')
    })
  }
}

test('the guest can not change what its programs are run by', {skip}, async (t) => {
  const cli = await environmentCli(t)
  await giveQemu(cli)
  await said(cli, 'create', await foreignRootfs(), '-a', 'arm64', '-n', 'arm')
  const undo = 'echo -1 >/proc/sys/fs/binfmt_misc/qemu-aarch64; echo $?; uname -m'
  const ran = await cli.run('run', 'arm', '--', 'sh', '-c', undo)
  assert.equal(ran.stdout, '1\naarch64\n')
})

test('list and show tell the architecture; a clone, a snapshot, an export and a try keep it', {
  skip,
}, async (t) => {
  const cli = await environmentCli(t)
  await giveQemu(cli)
  const image = await foreignRootfs()
  await said(cli, 'create', image, '-a', 'arm64', '-n', 'arm')
  const [listed] = JSON.parse(await said(cli, 'list', '--json'))
  assert.equal(listed.architecture, 'arm64')
  assert.match(await said(cli, 'list'), / ARCH .*\n.* arm64 /)
  assert.match(await said(cli, 'show', 'arm'), /^Architecture +arm64: QEMU runs its programs/m)

  await said(cli, 'clone', 'arm', 'copy')
  assert.equal(await said(cli, 'run', 'copy', '--', 'uname', '-m'), 'aarch64\n')
  await said(cli, 'stop', 'copy')
  const file = join(cli.home, 'copy.tar')
  await said(cli, 'export', 'copy', '--output', file)
  await said(cli, 'import', file, '--name', 'again')
  assert.equal(JSON.parse(await said(cli, 'show', 'again', '--json')).architecture, 'arm64')
  assert.equal(await said(cli, 'run', 'again', '--', 'uname', '-m'), 'aarch64\n')
  assert.equal(await said(cli, 'try', image, '-a', 'arm64', '--', 'uname', '-m'), 'aarch64\n')
})
