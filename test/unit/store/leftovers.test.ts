import assert from 'node:assert/strict'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type Host, openHost} from '../../../src/host/host.js'
import {takeLock} from '../../../src/host/locks.js'
import {openPaths} from '../../../src/host/paths.js'
import {makeStore, parseEnvironmentName} from '../../../src/store/environments.js'
import {leftoverFolder, sweepLeftovers} from '../../../src/store/gc.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const PLAY = {kind: 'partial', identity: 'emulated', name: parseEnvironmentName('play')} as const

test('removes a tree that was being made, and one that was being removed', async (t) => {
  const host = await givenHost(t)
  for (const kind of ['partial', 'removed'] as const) await fill(leftoverFolder(host.paths, {...PLAY, kind}))
  assert.equal((await sweepLeftovers(host)).length, 2)
  assert.deepEqual(await readdir(host.paths.environments), [])
})

test('leaves a tree whose environment is locked', async (t) => {
  const host = await givenHost(t)
  await fill(leftoverFolder(host.paths, PLAY))
  const lock = await takeLock(join(host.paths.locks, 'play.lock'), {mode: 'shared', waitMs: 0})
  assert.deepEqual(await sweepLeftovers(host), [])
  lock?.release()
  assert.equal((await sweepLeftovers(host)).length, 1)
})

for (const name of [
  'play',
  '.play',
  '.partial.emulated.0123abcd.',
  '.partial.emulated.0123abcd.Play',
  '.partial.emulated.0123abcd.a\nb',
  '.partial.emulated.123.play',
  '.partial.real.0123abcd.play',
  '.other.emulated.0123abcd.play',
  'x.partial.emulated.0123abcd.play',
]) {
  test(`leaves ${JSON.stringify(name)}, which is none of its own`, async (t) => {
    const host = await givenHost(t)
    await fill(join(host.paths.environments, name))
    assert.deepEqual(await sweepLeftovers(host), [])
    assert.deepEqual(await readdir(host.paths.environments), [name])
  })
}

test('finds nothing where there is no store, and makes none', async (t) => {
  const home = await temporaryFolder(t)
  const host = {...openHost(), paths: openPaths({ENVS_HOME: home}, home)}
  assert.deepEqual(await sweepLeftovers(host), [])
  assert.deepEqual(await readdir(home), [])
})

test('gives each tree a folder of its own', async (t) => {
  const {paths} = await givenHost(t)
  assert.notEqual(leftoverFolder(paths, PLAY), leftoverFolder(paths, PLAY))
})

async function givenHost(t: TestContext): Promise<Host> {
  const home = await temporaryFolder(t)
  const host = {...openHost(), paths: openPaths({ENVS_HOME: home}, home)}
  await makeStore(host.paths)
  return host
}

async function fill(folder: string): Promise<void> {
  await mkdir(join(folder, 'rootfs', 'closed'), {recursive: true})
  await writeFile(join(folder, 'rootfs', 'file'), 'x')
}
