import {environmentCli} from '../../support/environment-cli.js'
import {failAtCalls} from '../../support/failing-store.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done} from '../../support/store-at-rest.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('create, of an image that was never unpacked, with each errno at each call', async (t) => {
  const cli = await environmentCli(t)
  await failAtCalls(cli, {
    turn: 0,
    always: [
      'node envs.js: write /data/envs/layers/#/tree/etc/hostname with EROFS',
      'node envs.js: fsync /data/envs/layers/#/tree/etc/hosts with EUCLEAN',
      'node rootfs-worker.cjs: open /data/envs/layers/.partial.emulated.#/tree with ENFILE',
      'sync: fsync /data/envs/layers/.partial.emulated.# with EIO',
    ],
    argv: await creation(t, 'new'),
    again: 4,
  })
})

test('create, of one that is a folder, with each errno at each call', async (t) => {
  const cli = await environmentCli(t)
  const argv = [...(await creation(t, 'new')), '--storage', 'directory']
  await failAtCalls(cli, {turn: 11, argv, again: 4})
})

test('create, of an image that others stand on, with each errno at each call', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 5})
  await done(cli, 'create', path, '-n', 'other', '--identity', 'emulated')
  await failAtCalls(cli, {
    turn: 1,
    argv: ['create', path, '-n', 'new', '--identity', 'emulated', '-q'],
    again: 4,
  })
})
