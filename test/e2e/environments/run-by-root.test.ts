import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const NOTE = 'envs is meant for ordinary users: an environment that root creates runs with uid 0 of the host.'

test('create tells root, and nobody else, whom it is meant for', async (t) => {
  if (!(await canSimulate())) return t.skip('no user namespace to be root of')
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const asRoot = await cli.runBehind(['unshare', '--map-root-user'], 'create', path, '--identity', 'emulated')
  assert.equal(asRoot.status, 0, asRoot.stderr)
  assert.ok(asRoot.stderr.split('\n').includes(NOTE), asRoot.stderr)
  if (process.getuid?.() === 0) return
  const asUser = await cli.run('create', path, '--identity', 'emulated', '--name', 'other')
  assert.ok(!asUser.stderr.split('\n').includes(NOTE), asUser.stderr)
})
