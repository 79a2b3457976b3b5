import assert from 'node:assert/strict'
import {chmod, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const skip = process.getuid?.() === 0 && 'root needs no user namespace'

/** A host whose rules let bwrap alone make a user namespace, as Ubuntu 26.04's do. */
async function cliOfHost(t: TestContext, storage: 'directory' | 'overlay') {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'unshare')
  await writeFile(
    path,
    '#!/bin/sh\necho "unshare: write failed /proc/self/uid_map: Operation not permitted" >&2\nexit 1\n',
  )
  await chmod(path, 0o755)
  const PATH = `${folder}:${process.env['PATH']}`
  const cli = await environmentCli(t, {PATH, ENVS_STORAGE: storage, ENVS_ENGINE: 'bwrap'})
  const made = await cli.run(
    'create',
    await runnableRootfs(await temporaryFolder(t)),
    '-n',
    'play',
    '--identity',
    'emulated',
  )
  assert.equal(made.status, 0, made.stderr)
  const ran = await cli.run('run', 'play', '--', 'sh', '-c', 'echo new >/etc/new')
  assert.equal(ran.status, 0, ran.stderr)
  await cli.run('stop', 'play')
  return cli
}

test('a tree of one owner is copied and exported where only bwrap may make a user namespace', {
  skip,
}, async (t) => {
  const cli = await cliOfHost(t, 'directory')
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

test('layers get a snapshot there and are compared, and what would mount them names the checks', {
  skip,
}, async (t) => {
  const cli = await cliOfHost(t, 'overlay')
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
    assert.match(refused.stderr, /Could not make a user namespace.*\n.*"AppArmor"/)
  }
})
