import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

for (const identity of ['emulated', 'mapped']) {
  test(`rename takes hostname, hosts and prompt with it, ${identity}`, async (t) => {
    const reason = identity === 'mapped' ? await whyNotMapped() : undefined
    if (reason !== undefined) return t.skip(reason)
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path, '--identity', identity)
    assert.deepEqual(await cli.run('rename', 'tiny', 'web'), {
      status: 0,
      signal: null,
      stdout: '',
      stderr: 'Renamed tiny to web.\n',
    })
    const read = (name: string) => readFile(join(cli.root('web'), name), 'utf8')
    assert.equal(await read('etc/hostname'), 'web\n')
    assert.equal(await read('etc/debian_chroot'), 'web\n')
    const own = (await read('etc/hosts')).split('\n').filter((line) => line.startsWith('127.0.1.1'))
    assert.deepEqual(own, ['127.0.1.1 web'])
    assert.deepEqual(await cli.storeEntries(), ['web'])
  })
}

test('rename leaves what create recorded as it was', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const created = JSON.parse((await cli.run('create', path, '--json')).stdout)
  const run = await cli.run('mv', 'tiny', 'web', '--json')
  assert.deepEqual(JSON.parse(run.stdout), {name: 'web', path: cli.root('web')})
  const shown = JSON.parse((await cli.run('show', 'web', '--json')).stdout)
  assert.deepEqual(shown, {...created, name: 'web', path: cli.root('web')})
})

test('rename does not touch an environment that has the new name', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['a', 'b']) await cli.run('create', path, '--name', name)
  assert.deepEqual(await cli.run('rename', 'a', 'b'), {
    status: 4,
    signal: null,
    stdout: '',
    stderr: 'envs: The environment "b" exists already.\n  Choose another name.\n',
  })
  assert.equal(await readFile(join(cli.root('a'), 'etc/hostname'), 'utf8'), 'a\n')
  assert.deepEqual(await cli.storeEntries(), ['a', 'b'])
})

test('rename to the name it has changes nothing', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  assert.equal((await cli.run('rename', 'tiny', 'tiny')).status, 4)
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

for (const name of ['Web', '../web', '', '-web']) {
  test(`rename refuses ${JSON.stringify(name)} as the new name`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path)
    assert.equal((await cli.run('rename', '--', 'tiny', name)).status, 2)
    assert.deepEqual(await cli.storeEntries(), ['tiny'])
  })
}
