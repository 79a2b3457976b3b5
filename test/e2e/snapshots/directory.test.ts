import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'

const noProot = openHost().which('proot') === undefined && 'proot is not installed'
const noLayers = process.getuid?.() === 0 && 'root has no layers'

const ANOTHER = 'Or create one that can have snapshots: ENVS_STORAGE=overlay envs create IMAGE --name OTHER'

for (const [host, engine, skip, remedy] of [
  ['can have layers', 'auto', noLayers, ANOTHER],
  ['has none', 'proot', noProot, 'Run `envs doctor`: see the check "Layers" and its remedy.'],
] as const) {
  test(`without layers there is no snapshot, and what helps where the engine ${host}`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_ENGINE: engine, ENVS_STORAGE: 'directory'})
    await cli.run('create', await runnableRootfs(cli.home), '--name', 'play')
    for (const argv of [
      ['undo', 'play'],
      ['diff', 'play', 'one'],
    ]) {
      const {status, stderr} = await cli.run(...argv)
      assert.equal(status, 4, stderr)
      assert.deepEqual(stderr.split('\n').slice(1, -1), [
        '  Keep a copy of the environment: envs clone play play-copy',
        `  ${remedy}`,
      ])
    }
  })
}
