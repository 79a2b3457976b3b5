import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli, plainCli} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('list of nothing prints nothing, and says on standard error how to begin', async (t) => {
  const cli = await plainCli(t)
  assert.deepEqual(await cli.run('list'), {
    status: 0,
    signal: null,
    stdout: '',
    stderr: 'There is no environment yet. Create one: envs create\n',
  })
  assert.equal((await cli.run('list', '--json')).stdout, '[]\n')
  assert.deepEqual(await cli.run('list', '-q'), {status: 0, signal: null, stdout: '', stderr: ''})
})

test('list is in the order of the names', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['web', 'a', 'b10', 'b2']) await cli.run('create', path, '--name', name)
  assert.equal((await cli.run('list', '-q')).stdout, 'a\nb10\nb2\nweb\n')
  const names = JSON.parse((await cli.run('list', '--json')).stdout).map(({name}: {name: string}) => name)
  assert.deepEqual(names, ['a', 'b10', 'b2', 'web'])
})

test('list has a line for each environment', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const {stdout} = await cli.run('list')
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  assert.deepEqual(rows[0], ['NAME', 'STATE', 'SIZE', 'SHARED', 'LAST USED', 'IDENTITY', 'IMAGE'])
  assert.equal(rows.length, 2)
  assert.deepEqual(
    rows[1]?.filter((_, column) => column !== 2 && column !== 3),
    ['tiny', 'stopped', '-', 'emulated', path],
  )
})

test('list shows a damaged environment, and hides no other for it', async (t) => {
  const cli = await plainCli(t)
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
    architecture: null,
    sizeBytes: null,
    sharedBytes: null,
    createdAt: null,
    lastUsedAt: null,
  })
  assert.deepEqual([sound.name, sound.state], ['sound', 'stopped'])
  assert.equal((await cli.run('ps')).status, 0)
})

test('list takes no folder without a record for an environment', async (t) => {
  const cli = await plainCli(t)
  await mkdir(join(cli.store, 'stray'), {recursive: true})
  assert.deepEqual(await cli.run('list', '--json'), {status: 0, signal: null, stdout: '[]\n', stderr: ''})
  assert.deepEqual((await cli.run('ps')).status, 0)
})

test('list measures again what was used since', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.runWith({env: {ENVS_STORAGE: 'directory'}}, 'create', path)
  const sizeBytes = async () => JSON.parse((await cli.run('list', '--json')).stdout)[0].sizeBytes
  const before = await sizeBytes()
  await writeFile(join(cli.root('tiny'), 'usr/new'), Buffer.alloc(1 << 20, 'x'))
  assert.equal(await sizeBytes(), before)
  await writeFile(join(cli.store, 'tiny', 'last-used'), '')
  assert.ok((await sizeBytes()) >= before + (1 << 20))
})

test('list shows one whose layers are not known any more as damaged', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const made = await cli.run('create', path, '--json')
  if (JSON.parse(made.stdout).storage !== 'overlay') return t.skip('no layers on this host')
  await writeFile(join(cli.store, 'tiny', 'history.json'), '{"schemaVersion": 99}')
  const [tiny] = JSON.parse((await cli.run('list', '--json')).stdout)
  assert.deepEqual([tiny.state, tiny.sizeBytes, tiny.sharedBytes], ['damaged', null, null])
  assert.equal((await cli.run('rm', 'tiny')).status, 0)
})

test('list counts what several environments stand on as shared, until one is left', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 100})
  const made = JSON.parse((await cli.run('create', path, '--identity', 'emulated', '--json')).stdout)
  if (made.storage !== 'overlay') return t.skip('no layers on this host')
  const sizes = async () => {
    const rows: {name: string; sizeBytes: number; sharedBytes: number}[] = JSON.parse(
      (await cli.run('list', '--json')).stdout,
    )
    return Object.fromEntries(rows.map(({name, sizeBytes, sharedBytes}) => [name, {sizeBytes, sharedBytes}]))
  }
  const imageBytes = made.sharedBytes
  assert.ok(imageBytes > 100 * 8192)
  // As a guest would: its changes come to lie in the layer it writes to.
  const MEBIBYTE = 1 << 20
  await writeFile(join(made.path, 'big'), Buffer.alloc(MEBIBYTE, 'x'))
  assert.equal((await cli.run('clone', 'tiny', 'copy')).status, 0)
  const both = await sizes()
  for (const name of ['tiny', 'copy']) {
    assert.ok((both[name]?.sizeBytes ?? MEBIBYTE) < MEBIBYTE, name)
    assert.ok((both[name]?.sharedBytes ?? 0) >= imageBytes + MEBIBYTE, name)
  }
  assert.equal((await cli.run('rm', 'copy')).status, 0)
  const {tiny} = await sizes()
  assert.ok((tiny?.sizeBytes ?? 0) >= MEBIBYTE)
  assert.equal(tiny?.sharedBytes, imageBytes)
})
