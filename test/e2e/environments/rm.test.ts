import assert from 'node:assert/strict'
import {chmod, mkdir, readFile, rename, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {type EnvironmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {LAST_MEMBER, tinyRootfs} from '../../support/tiny-rootfs.js'

test('rm removes what it is told to, and names it on standard error', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['a', 'b', 'c']) await cli.run('create', path, '--name', name)
  assert.deepEqual(await cli.run('rm', 'c', 'a'), {
    status: 0,
    signal: null,
    stdout: '',
    stderr: 'Removed c.\nRemoved a.\n',
  })
  assert.deepEqual(await cli.storeEntries(), ['b'])
})

test('rm takes a name that is given twice for one', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const run = await cli.run('rm', 'tiny', 'tiny', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout)], [0, {removed: ['tiny'], recoverable: []}])
})

test('rm removes nothing when one of the names is unknown', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const run = await cli.run('rm', 'tiny', 'nothing', '--json')
  assert.equal(run.status, 3)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_NOT_FOUND')
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

for (const name of ['..', '.', 'a/b', '/tmp', '.partial.emulated.00000000.x']) {
  test(`rm refuses ${name} as a name`, async (t) => {
    const cli = await plainCli(t)
    const run = await cli.run('rm', '--force', name, '--json')
    assert.equal(run.status, 2)
    assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_USAGE')
  })
}

test('rm removes an environment whose record is damaged', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  await writeFile(join(cli.store, 'tiny', 'env.json'), '')
  assert.equal((await cli.run('rm', 'tiny')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('rm removes folders that nobody may enter, and files that nobody may write', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const closed = join(cli.root('tiny'), 'usr/closed')
  await mkdir(join(closed, 'inner'), {recursive: true})
  await writeFile(join(closed, 'inner/file'), 'x', {mode: 0o000})
  await chmod(join(closed, 'inner'), 0o000)
  await chmod(closed, 0o000)
  assert.equal((await cli.run('rm', 'tiny')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

/** Owners from both ends of the range that Debian uses, in folders that only they may enter. */
const FOREIGN_OWNERS = tarArchive(
  tarMember({name: './', type: '5', mode: 0o755, uid: 0, gid: 0}),
  tarMember({name: './private/', type: '5', mode: 0o700, uid: 42, gid: 42}),
  tarMember({name: './private/file', data: 'x', mode: 0o600, uid: 65_534, gid: 65_534}),
  tarMember({name: './closed/', type: '5', mode: 0o000, uid: 1000, gid: 1000}),
)

test('rm removes files of every owner a mapped environment has', async (t) => {
  const reason = await whyNotMapped()
  if (reason !== undefined) return t.skip(reason)
  const cli = await plainCli(t)
  await createFrom(cli, FOREIGN_OWNERS, 'mapped')
  assert.equal((await cli.run('rm', 'play')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('rm removes a damaged environment with files of other owners', async (t) => {
  const reason = await whyNotMapped()
  if (reason !== undefined) return t.skip(reason)
  const cli = await plainCli(t)
  await createFrom(cli, FOREIGN_OWNERS, 'mapped')
  await writeFile(join(cli.store, 'play', 'env.json'), '{')
  assert.equal((await cli.run('rm', 'play')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('rm follows no link out of the environment', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const outside = join(cli.home, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'sentinel'), 'untouched')
  const root = cli.root('tiny')
  await symlink(outside, join(root, 'to-folder'))
  await symlink(join(outside, 'sentinel'), join(root, 'to-file'))
  await symlink('../../../../../outside', join(root, 'relative'))
  assert.equal((await cli.run('rm', 'tiny')).status, 0)
  assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
})

test('rm removes an environment whose rootfs is a link, and leaves what it leads to', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const outside = join(cli.home, 'outside')
  await rename(cli.root('tiny'), outside)
  await symlink(outside, cli.root('tiny'))
  assert.equal((await cli.run('rm', 'tiny')).status, 0)
  assert.equal(await readFile(join(outside, LAST_MEMBER), 'utf8'), 'data')
  assert.deepEqual(await cli.storeEntries(), [])
})

for (const alias of ['remove', 'delete']) {
  test(`${alias} is another word for rm`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t)
    await cli.run('create', path)
    assert.equal((await cli.run(alias, 'tiny', '--yes')).status, 0)
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

async function createFrom(cli: EnvironmentCli, archive: Buffer, identity: string): Promise<void> {
  const run = await cli.runWith({input: archive}, 'create', '-', '-n', 'play', '--identity', identity)
  assert.equal(run.status, 0, run.stderr)
}
