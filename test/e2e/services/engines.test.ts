import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
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
