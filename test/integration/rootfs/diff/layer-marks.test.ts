import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {PerlMissingError} from '../../../../src/host/errors.js'
import {openHost} from '../../../../src/host/host.js'
import {systemCalls} from '../../../../src/host/machine/arch.js'
import {templatePath} from '../../../../src/host/paths.js'
import {capture} from '../../../../src/host/process.js'
import {readLayerMarks} from '../../../../src/rootfs/diff/layer-marks.js'
import {treeFolder} from '../../../support/extraction.js'
import {noOverlays, stackLayers} from '../../../support/stacked-layers.js'

const {architecture, which} = openHost()
const NET_RAW = '0100000200200000000000000000000000000000'

test('opaque folders are found, at any depth', {skip: noOverlays}, async (t) => {
  const {folders} = await stackLayers(
    t,
    'mkdir -p a/b/c d; echo >a/b/c/f; echo >d/f',
    'rm -r a/b/c d; mkdir a/b/c d; mkdir "$(printf \'new\\377\')"',
  )
  const [lower, upper] = await readLayerMarks(folders, {which, architecture})
  assert.deepEqual([...(lower?.opaque ?? [])], [])
  // The kernel marks each new folder of a merged one too.
  assert.deepEqual([...(upper?.opaque ?? [])].filter((path) => path !== 'new\xff').sort(), ['a/b/c', 'd'])
})

test('capabilities are found', {skip: noOverlays}, async (t) => {
  const set = `perl ${templatePath('host/files/set-capability.pl')} ${systemCalls(architecture).fsetxattr} ${NET_RAW}`
  const {folders} = await stackLayers(t, `mkdir bin; echo >bin/ping; ${set} 3<bin/ping; ln -s ping bin/link`)
  const program = ['unshare', '--map-root-user', '--', 'cat', '/dev/null']
  assert.equal((await capture(program)).status, 0)
  const [marks] = await readLayerMarks(folders, {which, architecture})
  assert.deepEqual([...(marks?.capabilities.keys() ?? [])], ['bin/ping'])
})

test('a folder that is not there has no marks', {skip: noOverlays}, async (t) => {
  const missing = join(await treeFolder(t), 'none')
  const [marks] = await readLayerMarks([missing], {which, architecture})
  assert.deepEqual([marks?.opaque.size, marks?.capabilities.size], [0, 0])
})

test('a tree that is deeper than any is read as far as bounds go', {
  skip: noOverlays,
}, async (t) => {
  const {folders} = await stackLayers(t, 'd=$(printf "d/%.0s" $(seq 700)); mkdir -p "$d"; echo >d/f')
  const [marks] = await readLayerMarks(folders, {which, architecture})
  assert.equal(marks?.opaque.size, 0)
})

test('a host without Perl is told how to get it', async () => {
  await assert.rejects(readLayerMarks(['/'], {which: () => undefined, architecture}), PerlMissingError)
})
