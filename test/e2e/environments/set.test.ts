import assert from 'node:assert/strict'
import {test} from 'node:test'
import {plainCli} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('set changes the init, which show names and a clone keeps', async (t) => {
  const cli = await plainCli(t)
  await cli.run('create', (await tinyRootfs(t)).path, '--name', 'play', '--init', 'services')
  assert.equal(JSON.parse((await cli.run('show', 'play', '--json')).stdout).init, 'services')
  assert.equal((await cli.run('clone', 'play', 'copy')).status, 0)
  const {stdout} = await cli.run('set', 'play', 'init=none', '--json')
  assert.deepEqual(JSON.parse(stdout), {
    name: 'play',
    settings: {init: 'none', network: 'host', publish: [], allow: [], allowHosts: []},
    isRunning: false,
    hasOwnPolicy: false,
  })
  assert.match((await cli.run('show', 'play')).stdout, /^Init +none$/m)
  assert.match((await cli.run('show', 'copy')).stdout, /^Init +services$/m)
})

test('set refuses words that are no setting, and systemd where it is not installed', async (t) => {
  const cli = await plainCli(t)
  await cli.run('create', (await tinyRootfs(t)).path, '--name', 'play')
  const refusal = async (...words: string[]) => {
    const {status, stderr} = await cli.run('set', 'play', ...words)
    return [status, stderr]
  }
  assert.deepEqual(await refusal(), [
    2,
    'envs: No setting was given.\n  Write KEY=VALUE, such as init=systemd.\n',
  ])
  assert.deepEqual(await refusal('init'), [2, 'envs: "init" is not of the form KEY=VALUE.\n'])
  assert.deepEqual(await refusal('inti=none'), [
    2,
    'envs: An environment has no setting "inti".\n  Did you mean init?\n',
  ])
  assert.deepEqual(await refusal('init=upstart'), [
    2,
    'envs: The value "upstart" of "init" is invalid: it must be none, systemd, services.\n',
  ])
  assert.deepEqual(await refusal('init=systemd'), [
    4,
    'envs: The environment "play" has no systemd.\n  Install it first: envs run play -- apt-get install -y systemd systemd-sysv dbus libpam-systemd\n',
  ])
})
