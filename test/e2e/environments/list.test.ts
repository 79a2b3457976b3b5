import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('list of nothing prints nothing, and says on standard error how to begin', async (t) => {
  const cli = await environmentCli(t)
  assert.deepEqual(await cli.run('list'), {
    status: 0,
    signal: null,
    stdout: '',
    stderr: 'There is no environment yet. Create one: envs create focal\n',
  })
  assert.equal((await cli.run('list', '--json')).stdout, '[]\n')
  assert.deepEqual(await cli.run('list', '-q'), {status: 0, signal: null, stdout: '', stderr: ''})
})

test('list is in the order of the names', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['web', 'a', 'b10', 'b2']) await cli.run('create', path, '--name', name)
  assert.equal((await cli.run('list', '-q')).stdout, 'a\nb10\nb2\nweb\n')
  const names = JSON.parse((await cli.run('list', '--json')).stdout).map(({name}: {name: string}) => name)
  assert.deepEqual(names, ['a', 'b10', 'b2', 'web'])
})

test('list has a line for each environment', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const {stdout} = await cli.run('list')
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  assert.deepEqual(rows[0], ['NAME', 'STATE', 'SIZE', 'LAST USED', 'IDENTITY', 'IMAGE'])
  assert.equal(rows.length, 2)
  assert.deepEqual(
    rows[1]?.filter((_, column) => column !== 2),
    ['tiny', 'stopped', '-', 'emulated', path],
  )
})

test('list shows a damaged environment, and hides no other for it', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['broken', 'sound']) await cli.run('create', path, '--name', name)
  await writeFile(join(cli.store, 'broken', 'env.json'), '{"schemaVersion": 99}')
  const run = await cli.run('list', '--json')
  assert.equal(run.status, 0)
  const [broken, sound] = JSON.parse(run.stdout)
  assert.deepEqual(broken, {
    name: 'broken',
    state: 'damaged',
    image: null,
    identity: null,
    sizeBytes: null,
    createdAt: null,
    lastUsedAt: null,
  })
  assert.deepEqual([sound.name, sound.state], ['sound', 'stopped'])
  assert.equal((await cli.run('ps')).status, 0)
})

test('list takes no folder without a record for an environment', async (t) => {
  const cli = await environmentCli(t)
  await mkdir(join(cli.store, 'stray'), {recursive: true})
  assert.deepEqual(await cli.run('list', '--json'), {status: 0, signal: null, stdout: '[]\n', stderr: ''})
  assert.deepEqual((await cli.run('ps')).status, 0)
})

test('list measures again what was used since', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const sizeBytes = async () => JSON.parse((await cli.run('list', '--json')).stdout)[0].sizeBytes
  const before = await sizeBytes()
  await writeFile(join(cli.root('tiny'), 'usr/new'), Buffer.alloc(1 << 20, 'x'))
  assert.equal(await sizeBytes(), before)
  await writeFile(join(cli.store, 'tiny', 'last-used'), '')
  assert.ok((await sizeBytes()) >= before + (1 << 20))
})
