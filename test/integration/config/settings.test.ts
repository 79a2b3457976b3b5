import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {type TestContext, test} from 'node:test'
import {configPath, readSettings} from '../../../src/config/settings.js'
import {openPaths} from '../../../src/host/paths.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

async function hostWith(
  t: TestContext,
  {file, environment = {}}: {file?: string; environment?: Readonly<Record<string, string>>},
) {
  const host = {paths: openPaths({ENVS_HOME: await temporaryFolder(t)}, '/nowhere'), environment}
  if (file !== undefined) {
    await mkdir(dirname(configPath(host)), {recursive: true})
    await writeFile(configPath(host), file)
  }
  return host
}

test('has built-in values without file and variables, and makes no folder', async (t) => {
  const host = await hostWith(t, {})
  const settings = await readSettings(host)
  assert.deepEqual(settings.effective('engine'), {value: 'auto', origin: 'built-in'})
  assert.deepEqual(settings.effective('defaultImage'), {value: undefined, origin: 'built-in'})
  assert.deepEqual(settings.effective('keyrings'), {value: [], origin: 'built-in'})
  assert.equal(existsSync(host.paths.config), false)
})

test('lets a flag go before a variable, that before the file, that before what is built in', async (t) => {
  const host = await hostWith(t, {
    file: '{"engine": "proot", "identity": "mapped", "storage": "overlay"}',
    environment: {ENVS_ENGINE: 'unshare', ENVS_IDENTITY: 'emulated'},
  })
  const settings = await readSettings(host, {engine: 'bwrap', identity: undefined})
  assert.deepEqual(settings.effective('engine'), {value: 'bwrap', origin: 'flag'})
  assert.deepEqual(settings.effective('identity'), {value: 'emulated', origin: 'variable'})
  assert.deepEqual(settings.effective('storage'), {value: 'overlay', origin: 'file'})
  assert.deepEqual(settings.effective('durable'), {value: 'auto', origin: 'built-in'})
})

test('takes an empty variable for an unset one', async (t) => {
  const host = await hostWith(t, {file: '{"engine": "proot"}', environment: {ENVS_ENGINE: ''}})
  assert.equal((await readSettings(host)).value('engine'), 'proot')
})

test('reads nested and list settings from the file', async (t) => {
  const host = await hostWith(t, {
    file: '{"mirrors": {"lxc": "http://127.0.0.1:1/lxc/"}, "keyrings": ["https://a.example=/a.gpg", "https://b.example=/b.gpg"]}',
  })
  const settings = await readSettings(host)
  assert.equal(settings.value('mirrors.lxc'), 'http://127.0.0.1:1/lxc')
  assert.deepEqual(settings.value('keyrings'), ['https://a.example=/a.gpg', 'https://b.example=/b.gpg'])
})

test('leaves alone what it does not know', async (t) => {
  const host = await hostWith(t, {file: '{"future": 1, "mirrors": "x", "engine": "bwrap"}'})
  const settings = await readSettings(host)
  assert.equal(settings.value('engine'), 'bwrap')
  assert.equal(settings.value('mirrors.lxc'), 'https://images.linuxcontainers.org')
})

for (const [what, file, environment, message] of [
  [
    'file',
    '{"engine": "docker"}',
    {},
    (path: string) => `engine in ${path} cannot be "docker": it must be one of: auto, bwrap, unshare, proot.`,
  ],
  [
    'file, of another type',
    '{"engine": 1}',
    {},
    (path: string) => `engine in ${path} cannot be "1": it must be one of: auto, bwrap, unshare, proot.`,
  ],
  [
    'variable',
    '{}',
    {ENVS_ENGINE: 'docker'},
    () => 'ENVS_ENGINE cannot be "docker": it must be one of: auto, bwrap, unshare, proot.',
  ],
] as const) {
  test(`names the place of a wrong value: ${what}`, async (t) => {
    const host = await hostWith(t, {file, environment})
    const settings = await readSettings(host)
    assert.throws(() => settings.value('engine'), {
      code: 'ENVS_BAD_SETTING',
      exitCode: 2,
      message: message(configPath(host)),
    })
    assert.equal(settings.value('identity'), 'auto')
  })
}

for (const [what, file, why] of [
  ['cut off', '{"engine": "bw', 'it is not JSON'],
  ['empty', '', 'it is not JSON'],
  ['a list', '[]', 'it is not a JSON object'],
  ['null', 'null', 'it is not a JSON object'],
] as const) {
  test(`names a file that is ${what}`, async (t) => {
    const host = await hostWith(t, {file})
    await assert.rejects(readSettings(host), {
      code: 'ENVS_CONFIG_CORRUPT',
      exitCode: 2,
      message: `Could not read the settings in "${configPath(host)}": ${why}.`,
    })
  })
}

test('names a folder in the place of the file', async (t) => {
  const host = await hostWith(t, {})
  await mkdir(configPath(host), {recursive: true})
  const message = `Could not read the settings in "${configPath(host)}": it is a folder.`
  await assert.rejects(readSettings(host), {code: 'ENVS_CONFIG_CORRUPT', message})
})

test('names in the file that are no settings are listed, with the settings that were meant', async (t) => {
  const file =
    '{"identty": "auto", "mirrors": {"lxc": "https://m.example", "foo": 1}, "$schema": "x", "x": {}}'
  const {unknown} = await readSettings(await hostWith(t, {file}))
  assert.deepEqual(
    unknown.map(({name, nearest}) => [name, nearest]),
    [
      ['identty', ['identity']],
      ['mirrors.foo', []],
    ],
  )
})
