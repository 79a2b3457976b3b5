import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {assertDocumented} from '../../support/json-schema.js'
import {storeOfVersion1} from '../../support/older-store.js'
import {layeredTest} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'

test('a store of version 1 is read, and its records stay as they are', async (t) => {
  const cli = await storeOfVersion1(t)
  const records = ['layered/env.json', 'layered/history.json', 'plain/env.json'].map((name) =>
    join(cli.store, name),
  )
  const before = await Promise.all(records.map((path) => readFile(path, 'utf8')))
  const list = await cli.run('list', '--json')
  assert.deepEqual(
    JSON.parse(list.stdout).map(({name, state, identity, image}: Record<string, unknown>) => ({
      name,
      state,
      identity,
      image,
    })),
    ['layered', 'plain'].map((name) => ({
      name,
      state: 'stopped',
      identity: 'emulated',
      image: '/srv/images/old.tar.gz',
    })),
  )
  const show = await cli.run('show', 'layered', '--json')
  await assertDocumented('show', JSON.parse(show.stdout))
  const snapshots = await cli.run('snapshots', 'layered', '--json')
  assert.deepEqual(
    JSON.parse(snapshots.stdout).map(({label}: {label: string}) => label),
    ['first'],
  )
  await done(cli, 'diff', 'layered', '--with', 'plain')
  assert.deepEqual(await Promise.all(records.map((path) => readFile(path, 'utf8'))), before)
})

test('an environment of version 1 is copied as one of this version, renamed and removed', async (t) => {
  const cli = await storeOfVersion1(t)
  await done(cli, 'clone', 'plain', 'copy')
  const {schemaVersion, settings} = JSON.parse(await readFile(join(cli.store, 'copy/env.json'), 'utf8'))
  assert.deepEqual({schemaVersion, settings}, {schemaVersion: 2, settings: {}})
  await done(cli, 'rename', 'plain', 'other')
  await done(cli, 'rm', '--force', 'other', 'copy')
  assert.deepEqual(await cli.storeEntries(), ['layered'])
})

layeredTest('an environment of version 1 can be entered, and goes back to its snapshot', async (t) => {
  const cli = await storeOfVersion1(t)
  await done(cli, 'run', 'layered', '--', 'sh', '-c', 'echo new > /etc/new')
  await done(cli, 'stop', 'layered')
  await done(cli, 'restore', 'layered', 'first')
  assert.equal((await cli.run('run', 'layered', '--', 'sh', '-c', '[ -e /etc/new ]')).status, 1)
})

test('an environment of a newer version is refused, and left alone', async (t) => {
  const cli = await storeOfVersion1(t)
  const path = join(cli.store, 'plain/env.json')
  const newer = (await readFile(path, 'utf8')).replace('"schemaVersion": 1', '"schemaVersion": 3')
  await writeFile(path, newer)
  for (const argv of [
    ['show', 'plain'],
    ['run', 'plain', 'true'],
    ['clone', 'plain', 'copy'],
    ['rename', 'plain', 'other'],
  ]) {
    const {status, stderr} = await cli.run(...argv)
    assert.equal(status, argv[0] === 'run' ? 125 : 8, stderr)
    assert.equal(
      stderr,
      `envs: Could not read the record "${path}": a newer envs wrote it: its schemaVersion is 3, and this envs reads up to 2.\n` +
        '  Run the command with the newest envs that has used this store; the record is unchanged.\n',
    )
  }
  await done(cli, 'prune')
  assert.equal(await readFile(path, 'utf8'), newer)
})
