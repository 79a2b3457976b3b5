import assert from 'node:assert/strict'
import {mkdir, readdir, readFile, rename, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, plainCli} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

for (const place of ['etc/hostname', 'etc/hosts', 'etc/debian_chroot']) {
  test(`rename neither reads nor writes through a link planted at /${place}`, async (t) => {
    const {cli, root, outside} = await given(t)
    await rm(join(root, place))
    await symlink(join(outside, 'sentinel'), join(root, place))
    assert.equal((await cli.run('rename', 'tiny', 'web')).status, 0)
    assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
    assert.doesNotMatch(await readFile(join(cli.root('web'), place), 'utf8'), /untouched/)
  })

  test(`rename does not wait for a FIFO planted at /${place}`, async (t) => {
    const {cli, root} = await given(t)
    await rm(join(root, place))
    await capture(['mkfifo', join(root, place)])
    assert.equal((await cli.run('rename', 'tiny', 'web')).status, 0)
    assert.match(await readFile(join(cli.root('web'), place), 'utf8'), /web/)
  })
}

test('rename writes nothing below a link planted in the place of /etc', async (t) => {
  const {cli, root, outside} = await given(t)
  await rename(join(root, 'etc'), join(root, 'old-etc'))
  await symlink(outside, join(root, 'etc'))
  await cli.run('rename', 'tiny', 'web')
  assert.deepEqual(await readdir(outside), ['sentinel'])
  assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
})

test('rename that the tree makes impossible says so and changes no name', async (t) => {
  const {cli, root} = await given(t)
  await rm(join(root, 'etc/hostname'))
  await mkdir(join(root, 'etc/hostname/full'), {recursive: true})
  const run = await cli.run('rename', 'tiny', 'web', '--json')
  assert.equal(run.status, 8)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_FIX_FAILED')
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

test('a size is that of the tree, whatever its links lead to', async (t) => {
  const {cli, root, outside} = await given(t)
  const sizeBytes = async () => {
    await writeFile(join(cli.store, 'tiny', 'last-used'), '')
    return JSON.parse((await cli.run('show', 'tiny', '--json')).stdout).sizeBytes
  }
  await writeFile(join(outside, 'big'), Buffer.alloc(4 << 20, 'x'))
  const before = await sizeBytes()
  await symlink(outside, join(root, 'usr/outside'))
  assert.ok((await sizeBytes()) < before + (1 << 20))
})

test('rm follows no folder that is swapped for a link while it removes', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 1500})
  const outside = await fillOutside(cli)
  for (let round = 0; round < 3; round++) {
    await cli.run('create', path, '--identity', 'emulated', '--quiet')
    const removing = cli.run('rm', 'tiny')
    await swapWhileThere(cli, outside)
    assert.equal((await removing).status, 0)
    assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
  }
  assert.deepEqual(await cli.storeEntries(), [])
})

test('rm is not troubled by files that vanish meanwhile', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 1500})
  await cli.run('create', path, '--identity', 'emulated', '--quiet')
  const removing = cli.run('rm', 'tiny')
  const usr = await untilBeingRemoved(cli)
  await rm(usr, {recursive: true, force: true})
  assert.equal((await removing).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

async function given(t: TestContext): Promise<{cli: EnvironmentCli; root: string; outside: string}> {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated', '--quiet')
  return {cli, root: cli.root('tiny'), outside: await fillOutside(cli)}
}

async function fillOutside(cli: EnvironmentCli): Promise<string> {
  const outside = join(cli.home, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'sentinel'), 'untouched')
  return outside
}

/** The folder with most of the files, at the place where a removal has moved it. */
async function untilBeingRemoved(cli: EnvironmentCli): Promise<string> {
  for (;;) {
    const [moved] = (await cli.storeEntries()).filter((name) => name.startsWith('.removed.'))
    if (moved !== undefined) return join(cli.store, moved, 'rootfs/usr')
    await sleep(1)
  }
}

async function swapWhileThere(cli: EnvironmentCli, outside: string): Promise<void> {
  const usr = await untilBeingRemoved(cli)
  try {
    await rename(usr, `${usr}.away`)
    await symlink(outside, usr)
  } catch {
    // The removal was faster in this round.
  }
}
