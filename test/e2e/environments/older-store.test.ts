import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile, rm, writeFile} from 'node:fs/promises'
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

test('fields of a newer version survive a write of this one', async (t) => {
  const cli = await storeOfVersion1(t)
  const [record, history] = ['env.json', 'history.json'].map((name) => join(cli.store, 'layered', name))
  const add = async (path = '', change: (json: Json) => void) => {
    const json = JSON.parse(await readFile(path, 'utf8'))
    change(json)
    await writeFile(path, JSON.stringify(json))
  }
  const future = {pins: ['a'], since: 1}
  await add(record, (json) => {
    json['future'] = future
    json['image'].future = future
  })
  await add(history, (json) => {
    json['future'] = future
    json['snapshots'][0].future = future
  })
  await done(cli, 'snapshot', 'layered', 'second')
  await done(cli, 'restore', 'layered', 'first')
  await done(cli, 'clone', 'layered', 'copy', '-q')
  const written: Json = JSON.parse(await readFile(history ?? '', 'utf8'))
  assert.deepEqual([written['future'], written['snapshots'][0].future], [future, future])
  const copied: Json = JSON.parse(await readFile(join(cli.store, 'copy', 'env.json'), 'utf8'))
  assert.deepEqual([copied['schemaVersion'], copied['future'], copied['image'].future], [2, future, future])
})

// biome-ignore lint/suspicious/noExplicitAny: whatever a record has
type Json = Record<string, any>

test('a store of version 1 gets its record with the first environment; one with unknown features is refused', async (t) => {
  const cli = await storeOfVersion1(t)
  const path = join(cli.data, 'store.json')
  assert.equal(existsSync(path), false)
  await done(cli, 'clone', 'plain', 'copy')
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), {schemaVersion: 1, required: []})
  for (const [text, reason] of [
    ['{"schemaVersion": 1, "required": ["time-travel"]}', 'a newer envs used the feature time-travel'],
    ['{"schemaVersion": 2}', 'a newer envs wrote it: its schemaVersion is 2, and this envs reads up to 1'],
  ] as const) {
    await writeFile(path, text)
    for (const argv of [
      ['list'],
      ['show', 'plain'],
      ['run', 'plain', 'true'],
      ['rm', '-f', 'plain'],
      ['clone', 'plain', 'other'],
      ['prune', '--yes'],
    ]) {
      const {status, stderr} = await cli.run(...argv)
      assert.equal(status, argv[0] === 'run' ? 125 : 8, stderr)
      assert.ok(stderr.startsWith(`envs: Could not use the store "${cli.data}": ${reason}.\n`), stderr)
    }
    assert.equal(await readFile(path, 'utf8'), text)
  }
  await rm(path)
  assert.deepEqual(await cli.storeEntries(), ['copy', 'layered', 'plain'])
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
