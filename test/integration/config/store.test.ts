import assert from 'node:assert/strict'
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {type TestContext, test} from 'node:test'
import {settingNames} from '../../../src/config/schema.js'
import {clearSetting, configPath, readSettings, storeSetting} from '../../../src/config/settings.js'
import {takeLock} from '../../../src/host/locks.js'
import {openPaths} from '../../../src/host/paths.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

async function emptyHost(t: TestContext) {
  return {paths: openPaths({ENVS_HOME: await temporaryFolder(t)}, '/nowhere'), environment: {}}
}

test('keeps a value where readSettings finds it, in a file of the user alone', async (t) => {
  const host = await emptyHost(t)
  assert.equal(await storeSetting(host, 'mirrors.lxc', 'http://127.0.0.1/x/'), 'http://127.0.0.1/x')
  assert.deepEqual(JSON.parse(await readFile(configPath(host), 'utf8')), {
    mirrors: {lxc: 'http://127.0.0.1/x'},
  })
  assert.deepEqual((await readSettings(host)).effective('mirrors.lxc'), {
    value: 'http://127.0.0.1/x',
    origin: 'file',
  })
  assert.equal((await stat(configPath(host))).mode & 0o777, 0o600)
})

test('keeps the other settings, unknown ones too', async (t) => {
  const host = await emptyHost(t)
  await mkdir(dirname(configPath(host)), {recursive: true})
  await writeFile(configPath(host), '{"future": {"a": [1]}, "engine": "proot"}')
  await storeSetting(host, 'identity', 'mapped')
  await clearSetting(host, 'engine')
  assert.deepEqual(JSON.parse(await readFile(configPath(host), 'utf8')), {
    future: {a: [1]},
    identity: 'mapped',
  })
})

test('clears what was never set', async (t) => {
  const host = await emptyHost(t)
  await clearSetting(host, 'mirrors.lxc')
  assert.equal((await readSettings(host)).effective('mirrors.lxc').origin, 'built-in')
})

test('refuses a wrong value before it touches the disk', async (t) => {
  const host = await emptyHost(t)
  await assert.rejects(storeSetting(host, 'engine', 'docker'), {code: 'ENVS_BAD_SETTING'})
  await assert.rejects(stat(dirname(configPath(host))), {code: 'ENOENT'})
})

test('repairs a wrong value, also beside another one', async (t) => {
  const host = await emptyHost(t)
  await mkdir(dirname(configPath(host)), {recursive: true})
  await writeFile(configPath(host), '{"engine": "docker", "identity": 3}')
  await storeSetting(host, 'engine', 'bwrap')
  assert.equal((await readSettings(host)).value('engine'), 'bwrap')
})

test('neither resets nor rewrites a damaged file', async (t) => {
  const host = await emptyHost(t)
  await mkdir(dirname(configPath(host)), {recursive: true})
  await writeFile(configPath(host), '{"engine": "bw')
  await assert.rejects(storeSetting(host, 'identity', 'mapped'), {code: 'ENVS_CONFIG_CORRUPT'})
  await assert.rejects(clearSetting(host, 'identity'), {code: 'ENVS_CONFIG_CORRUPT'})
  assert.equal(await readFile(configPath(host), 'utf8'), '{"engine": "bw')
})

test('waits for whoever is changing the file', async (t) => {
  const host = await emptyHost(t)
  await storeSetting(host, 'engine', 'bwrap')
  const lock = await takeLock(`${configPath(host)}.lock`, {mode: 'exclusive', waitMs: 0})
  assert.ok(lock)
  const change = storeSetting(host, 'engine', 'proot')
  assert.equal((await readSettings(host)).value('engine'), 'bwrap')
  lock.release()
  await change
  assert.equal((await readSettings(host)).value('engine'), 'proot')
})

test('loses no setting when many are changed at once', async (t) => {
  const host = await emptyHost(t)
  const urls = settingNames().filter((name) => name.startsWith('mirrors.'))
  await Promise.all([
    ...urls.map((name) => storeSetting(host, name, 'http://127.0.0.1')),
    storeSetting(host, 'engine', 'proot'),
    storeSetting(host, 'durable', 'never'),
  ])
  const settings = await readSettings(host)
  assert.deepEqual(
    [...urls, 'engine' as const, 'durable' as const].map((name) => settings.value(name)),
    [...urls.map(() => 'http://127.0.0.1'), 'proot', 'never'],
  )
})
