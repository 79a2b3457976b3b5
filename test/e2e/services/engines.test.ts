import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {environmentCli, plainCli} from '../../support/environment-cli.js'
import {SYSTEMD_ENTRY} from '../../support/scripted-init.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('proot, which makes no first process, refuses an environment with services', {
  skip: openHost().which('proot') === undefined && 'proot is not installed',
}, async (t) => {
  const cli = await environmentCli(t, {ENVS_ENGINE: 'proot', ENVS_STORAGE: 'directory'})
  const {path} = await tinyRootfs(t)
  assert.equal((await cli.run('create', path, '--name', 'play', '--init', 'services', '--quiet')).status, 0)
  const ran = await cli.run('run', 'play', '--', 'true')
  assert.equal(ran.status, 125)
  assert.match(
    ran.stderr,
    /^envs: The engine proot cannot start the services of "play": it has no first process\.\n/m,
  )
})

test('a setting that excludes the engine of systemd is refused, and named with the way out', async (t) => {
  const cli = await plainCli(t)
  assert.equal((await cli.run('create', (await tinyRootfs(t)).path, '--name', 'play', '--quiet')).status, 0)
  const list = join(cli.root('play'), 'var/lib/dpkg')
  await mkdir(list, {recursive: true})
  await writeFile(join(list, 'status'), SYSTEMD_ENTRY)
  assert.equal((await cli.run('set', 'play', 'init=systemd')).status, 0)
  for (const engine of ['bwrap', 'proot']) {
    const env = {ENVS_ENGINE: engine}
    const ran = await cli.runWith({env}, 'run', 'play', '--', 'true')
    assert.equal(ran.status, 125)
    assert.equal(
      ran.stderr,
      `envs: The engine ${engine} cannot boot the environment "play": its systemd needs the engine unshare, and the variable ENVS_ENGINE is "${engine}".
  Leave the choice to envs: unset ENVS_ENGINE
  For one command: ENVS_ENGINE=auto envs start play
  Or start its services without systemd, with bwrap or unshare: envs set play init=services
`,
    )
    const shown = await cli.runWith({env}, 'show', 'play', '--json')
    assert.equal(JSON.parse(shown.stdout).engine, null)
  }
  await cli.run('config', 'set', 'engine', 'bwrap')
  const {status, stdout} = await cli.run('start', 'play', '--json')
  const {code, message} = JSON.parse(stdout).error
  assert.deepEqual([status, code], [4, 'ENVS_INIT_NEEDS_UNSHARE'])
  assert.ok(message.includes(`the setting engine in ${cli.configFile} is "bwrap"`), message)
  await cli.run('config', 'unset', 'engine')
  assert.equal(JSON.parse((await cli.run('show', 'play', '--json')).stdout).engine, 'unshare')
})
