import assert from 'node:assert/strict'
import {mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {readInstalledPackages} from '../../../src/rootfs/installed-packages.js'
import {treeFolder} from '../../support/extraction.js'

const STATUS = 'Package: secret\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n'

/** A tree, and beside it a folder of the host's that looks like dpkg's. */
async function given(t: TestContext): Promise<{root: string; outside: string}> {
  const folder = await treeFolder(t)
  const [root, outside] = [join(folder, 'rootfs'), join(folder, 'outside')]
  mkdirSync(join(outside, 'lib/dpkg'), {recursive: true})
  writeFileSync(join(outside, 'lib/dpkg/status'), STATUS)
  mkdirSync(join(root, 'var/lib'), {recursive: true})
  return {root, outside}
}

test('the list of packages is read from the tree', async (t) => {
  const {root} = await given(t)
  mkdirSync(join(root, 'var/lib/dpkg'))
  writeFileSync(join(root, 'var/lib/dpkg/status'), STATUS)
  assert.deepEqual(readInstalledPackages(root), [{name: 'secret', version: '1'}])
})

test('a link in the place of the list is not followed', async (t) => {
  const {root, outside} = await given(t)
  mkdirSync(join(root, 'var/lib/dpkg'))
  symlinkSync(join(outside, 'lib/dpkg/status'), join(root, 'var/lib/dpkg/status'))
  assert.equal(readInstalledPackages(root), undefined)
})

test('a link in the place of a folder on the way is not followed', async (t) => {
  const {root, outside} = await given(t)
  symlinkSync(join(outside, 'lib/dpkg'), join(root, 'var/lib/dpkg'))
  assert.equal(readInstalledPackages(root), undefined)
})

test('a FIFO in the place of the list is not waited for', {timeout: 10_000}, async (t) => {
  const {root} = await given(t)
  mkdirSync(join(root, 'var/lib/dpkg'))
  await capture(['mkfifo', join(root, 'var/lib/dpkg/status')])
  assert.equal(readInstalledPackages(root), undefined)
})

test('of a list without end, the beginning is read', async (t) => {
  const {root} = await given(t)
  mkdirSync(join(root, 'var/lib/dpkg'))
  writeFileSync(
    join(root, 'var/lib/dpkg/status'),
    `${STATUS}\n${'x'.repeat(17 * 2 ** 20)}\n\n${STATUS.replace('secret', 'late')}`,
  )
  assert.deepEqual(readInstalledPackages(root), [{name: 'secret', version: '1'}])
})
