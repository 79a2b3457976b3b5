import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {refreshResolver} from '../../../src/features/resolver.js'
import {capture} from '../../../src/host/process.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const SETTINGS = 'nameserver 192.0.2.1\n'

test('copies the settings of the host, for everybody in the guest to read', async (t) => {
  const {folder, source, copy} = await given(t)
  await refreshResolver(folder, source)
  assert.equal(await readFile(copy, 'utf8'), SETTINGS)
  assert.equal((await stat(copy)).mode & 0o777, 0o644)
})

test('follows the host when it changes', async (t) => {
  const {folder, source, copy} = await given(t)
  await refreshResolver(folder, source)
  await writeFile(source, 'nameserver 192.0.2.2\n')
  await refreshResolver(folder, source)
  assert.equal(await readFile(copy, 'utf8'), 'nameserver 192.0.2.2\n')
  assert.deepEqual(await readdir(folder), ['resolv.conf'])
})

test('leaves a copy that is right as it is', async (t) => {
  const {folder, source, copy} = await given(t)
  await refreshResolver(folder, source)
  const {ino} = await stat(copy)
  await refreshResolver(folder, source)
  assert.equal((await stat(copy)).ino, ino)
})

test('follows a link on the host', async (t) => {
  const {folder, source, copy, outside} = await given(t)
  await symlink(source, join(outside, 'link'))
  await refreshResolver(folder, join(outside, 'link'))
  assert.equal(await readFile(copy, 'utf8'), SETTINGS)
})

test('gives no settings where the host has none', async (t) => {
  const {folder, copy, outside} = await given(t)
  await refreshResolver(folder, join(outside, 'nothing'))
  assert.equal(await readFile(copy, 'utf8'), '')
})

test('does not make the folder of an environment that is gone', async (t) => {
  const {folder, source, outside} = await given(t)
  await rm(join(outside, 'play'), {recursive: true})
  await assert.rejects(refreshResolver(folder, source), {code: 'ENOENT'})
  assert.equal(existsSync(join(outside, 'play')), false)
})

test('replaces a link that the guest has planted, and leaves what it leads to', async (t) => {
  const {folder, source, copy, outside} = await given(t)
  await mkdir(folder, {recursive: true})
  await writeFile(join(outside, 'sentinel'), 'untouched')
  await symlink(join(outside, 'sentinel'), copy)
  await refreshResolver(folder, source)
  assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
  assert.equal(await readFile(copy, 'utf8'), SETTINGS)
})

test('replaces a FIFO that the guest has planted, and does not wait for it', async (t) => {
  const {folder, source, copy} = await given(t)
  await mkdir(folder, {recursive: true})
  await capture(['mkfifo', copy])
  await refreshResolver(folder, source)
  assert.equal(await readFile(copy, 'utf8'), SETTINGS)
})

test('replaces a file of any size that the guest has planted', async (t) => {
  const {folder, source, copy} = await given(t)
  await mkdir(folder, {recursive: true})
  await writeFile(copy, '')
  await truncate(copy, 2 ** 40)
  await refreshResolver(folder, source)
  assert.equal(await readFile(copy, 'utf8'), SETTINGS)
})

test('leaves a folder that the guest has planted to the guest', async (t) => {
  const {folder, source, copy} = await given(t)
  await mkdir(join(copy, 'inside'), {recursive: true})
  await refreshResolver(folder, source)
  assert.deepEqual(await readdir(folder), ['resolv.conf'])
})

/** An environment's folder `play`, and settings of a host beside it. */
async function given(t: TestContext) {
  const outside = await temporaryFolder(t)
  await mkdir(join(outside, 'play'))
  const source = join(outside, 'source')
  await writeFile(source, SETTINGS)
  const folder = join(outside, 'play', 'run', 'resolver')
  return {outside, source, folder, copy: join(folder, 'resolv.conf')}
}
