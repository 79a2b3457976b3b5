import assert from 'node:assert/strict'
import {chmod, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {findProgram} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const skip = process.getuid?.() === 0 && 'root needs no user namespace'

const PATH = process.env['PATH'] ?? ''

/** unshare as AppArmor leaves it on Ubuntu 26.04: it makes no user namespace, and all others for root of one. */
const REFUSED = `#!/bin/sh
case $1 in --user | --map-*)
  echo "unshare: write failed /proc/self/uid_map: Operation not permitted" >&2
  exit 1 ;;
esac
exec ${findProgram('unshare', PATH)} "$@"
`

/** A perl that is not allowed to join the namespace of bwrap. */
const UNJOINED = `#!/bin/sh
case $1 in */root-by-bwrap.pl) exit 1 ;; esac
exec ${findProgram('perl', PATH)} "$@"
`

/** A host whose rules let bwrap alone make a user namespace. */
async function cliOfHost(
  t: TestContext,
  {storage, isJoined}: {storage: 'directory' | 'overlay'; isJoined: boolean},
) {
  const folder = await temporaryFolder(t)
  const programs = {unshare: REFUSED, ...(isJoined ? {} : {perl: UNJOINED})}
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, name), text)
    await chmod(join(folder, name), 0o755)
  }
  const cli = await environmentCli(t, {
    PATH: `${folder}:${PATH}`,
    ENVS_STORAGE: storage,
    ENVS_ENGINE: 'bwrap',
  })
  const rootfs = await runnableRootfs(await temporaryFolder(t))
  const made = await cli.run('create', rootfs, '-n', 'play', '--identity', 'emulated')
  assert.equal(made.status, 0, made.stderr)
  const ran = await cli.run('run', 'play', '--', 'sh', '-c', 'echo new >/etc/new')
  assert.equal(ran.status, 0, ran.stderr)
  await cli.run('stop', 'play')
  return cli
}

for (const storage of ['overlay', 'directory'] as const) {
  test(`storage ${storage} is copied, exported and renamed where only bwrap may make a user namespace`, {
    skip,
  }, async (t) => {
    const cli = await cliOfHost(t, {storage, isJoined: true})
    // Root of the namespace reads it, and its owner does not.
    const hidden = await cli.run('run', 'play', '--', 'sh', '-c', 'umask 777; echo x >/etc/hidden')
    assert.equal(hidden.status, 0, hidden.stderr)
    await cli.run('stop', 'play')
    for (const argv of [
      ['clone', 'play', 'copy'],
      ['export', 'play', '-o', 'play.tar'],
      ['rename', 'play', 'other'],
    ]) {
      const done = await cli.run(...argv)
      assert.equal(done.status, 0, `${argv[0]}: ${done.stderr}`)
    }
    const copied = await cli.run('run', 'copy', '--', 'sh', '-c', 'read line </etc/new; echo $line')
    assert.equal(copied.stdout, 'new\n', copied.stderr)
    assert.equal(copied.stderr, '', 'the guest has a second user namespace')
  })
}

test('without the namespace of bwrap, a tree of one owner is copied and exported', {skip}, async (t) => {
  const cli = await cliOfHost(t, {storage: 'directory', isJoined: false})
  for (const argv of [
    ['clone', 'play', 'copy'],
    ['export', 'play', '-o', 'play.tar'],
  ]) {
    const done = await cli.run(...argv)
    assert.equal(done.status, 0, `${argv[0]}: ${done.stderr}`)
  }
  assert.equal(
    (await cli.run('run', 'copy', '--', 'sh', '-c', 'read line </etc/new; echo $line')).stdout,
    'new\n',
  )
})

test('layers get a snapshot there and are compared, and what would mount them is explained', {
  skip,
}, async (t) => {
  const cli = await cliOfHost(t, {storage: 'overlay', isJoined: false})
  const taken = await cli.run('snapshot', 'play', 'one')
  assert.equal(taken.status, 0, taken.stderr)
  const compared = await cli.run('diff', 'play')
  assert.equal(compared.status, 0, compared.stderr)
  for (const argv of [
    ['clone', 'play', 'copy'],
    ['export', 'play', '-o', 'play.tar'],
  ]) {
    const refused = await cli.run(...argv)
    assert.equal(refused.status, 7, `${argv[0]}: ${refused.stderr}`)
    assert.match(
      refused.stderr,
      /Could not make a user namespace.*\n {2}User namespaces: unshare --map-root-user --mount true ended with status 1\.\n.*"User namespaces"/,
    )
  }
})
