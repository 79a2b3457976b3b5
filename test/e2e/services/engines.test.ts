import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {environmentCli, plainCli} from '../../support/environment-cli.js'
import {onRestrictedHost} from '../../support/restricted-host.js'
import {SYSTEMD_ENTRY} from '../../support/scripted-init.js'
import {canSimulate} from '../../support/simulated-host.js'
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

/** No control groups, and a /dev/fuse of root alone. */
const WITHOUT_GROUPS = `mount -t tmpfs tmpfs /sys/fs/cgroup
if [ -e /dev/fuse ]; then : >/sys/fs/cgroup/closed; chmod 0 /sys/fs/cgroup/closed; mount --bind /sys/fs/cgroup/closed /dev/fuse; fi`

test('a host with neither control groups nor FUSE boots no systemd, and says what starts the services', {
  skip: (await canSimulate()) ? false : 'no user namespaces for the tests',
}, async (t) => {
  const cli = await plainCli(t)
  assert.equal((await cli.run('create', (await tinyRootfs(t)).path, '--name', 'play', '--quiet')).status, 0)
  const list = join(cli.root('play'), 'var/lib/dpkg')
  await mkdir(list, {recursive: true})
  await writeFile(join(list, 'status'), SYSTEMD_ENTRY)
  assert.equal((await cli.run('set', 'play', 'init=systemd')).status, 0)
  const poorer = onRestrictedHost({prepare: WITHOUT_GROUPS})
  const started = await cli.runBehind(poorer, 'start', 'play', '--json')
  const {code, suggestions} = JSON.parse(started.stdout).error
  assert.deepEqual([started.status, code], [7, 'ENVS_NO_CGROUPS'], started.stdout)
  assert.match(suggestions[0], /envs set play init=services$/)
  const exported = join(cli.home, 'with-systemd.tar')
  assert.equal((await cli.run('export', 'play', '--output', exported)).status, 0)
  const made = await cli.runBehind(
    poorer,
    ...['create', exported, '--name', 'two', '--init', 'auto', '--json'],
  )
  assert.equal(made.status, 0, made.stdout)
  assert.equal(JSON.parse(made.stdout).init, 'services')
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
