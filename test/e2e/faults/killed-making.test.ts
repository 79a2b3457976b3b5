import {join} from 'node:path'
import {environmentCli} from '../../support/environment-cli.js'
import {dir, layer, put} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'
import {killAtSteps} from '../../support/killed-store.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done} from '../../support/store-at-rest.js'
import {writeUpper} from '../../support/store-state.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('create, killed at any step, of an image that was never unpacked', async (t) => {
  const cli = await environmentCli(t)
  await killAtSteps(cli, {argv: await creation(t, 'new'), again: 4, isFirst: true})
})

test('create, killed at any step, of an image that others stand on', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 5})
  await done(cli, 'create', path, '-n', 'other', '--identity', 'emulated')
  await killAtSteps(cli, {argv: ['create', path, '-n', 'new', '--identity', 'emulated', '-q'], again: 4})
})

test('create, killed at any step, of one that is a folder', async (t) => {
  const cli = await environmentCli(t)
  await killAtSteps(cli, {argv: [...(await creation(t, 'new')), '--storage', 'directory'], again: 4})
})

test('create, killed at any step, of an image of containers', async (t) => {
  const cli = await environmentCli(t)
  const layers = [
    layer(dir('etc'), put('etc/os-release', 'ID=tiny\n'), dir('usr')),
    layer(put('etc/more', 'x')),
  ]
  const {folder} = await writeLayout(join(cli.home, 'layout'), {tiny: {layers}})
  const argv = ['create', `oci:${folder}:tiny`, '-n', 'new', '--identity', 'emulated', '-q']
  await killAtSteps(cli, {argv, again: 4, isFirst: true})
})

test('import, killed at any step', async (t) => {
  const cli = await environmentCli(t)
  await done(cli, ...(await creation(t, 'other')))
  writeUpper(cli.data, 'other', 'marker', 'whole')
  await done(cli, 'export', 'other', '-o', 'other.tar')
  const argv = ['import', 'other.tar', '-n', 'new', '--identity', 'emulated', '-q']
  await killAtSteps(cli, {argv, again: 4})
})

test('clone, killed at any step, of one with files of its own', async (t) => {
  const cli = await environmentCli(t)
  await done(cli, ...(await creation(t, 'source')))
  writeUpper(cli.data, 'source', 'marker', 'sealed')
  await done(cli, 'snapshot', 'source', 'before')
  writeUpper(cli.data, 'source', 'marker', 'written since')
  await killAtSteps(cli, {argv: ['clone', 'source', 'copy', '-q'], again: 4})
})

test('clone, killed at any step, of one that is a folder', async (t) => {
  const cli = await environmentCli(t)
  await done(cli, ...(await creation(t, 'source')), '--storage', 'directory')
  await killAtSteps(cli, {argv: ['clone', 'source', 'copy', '-q'], again: 4})
})
