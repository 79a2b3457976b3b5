import assert from 'node:assert/strict'
import {copyFile, readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES} from '../../support/guest.js'
import {seededRootfs} from '../../support/seeded-image.js'
import {noOverlays} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const layersIn = async ({data}: EnvironmentCli) => (await readdir(join(data, 'layers'))).sort()

for (const {identity, skip: unmapped} of IDENTITIES) {
  const skip = noOverlays || unmapped

  test(`${identity}: environments of one image share what is unpacked of it, and nothing else`, {
    skip,
  }, async (t) => {
    const cli = await environmentCli(t)
    const rootfs = await seededRootfs(cli, identity)
    for (const name of ['a', 'b']) {
      const made = await cli.run('create', rootfs, '-n', name, '--identity', identity)
      assert.equal(made.status, 0, made.stderr)
    }
    // The image's, and one of each environment's own.
    assert.equal((await layersIn(cli)).length, 3)
    await cli.run('run', 'a', 'sh', '-c', 'echo a >/root/mine; rm /etc/debian_version; hostname')
    const other = await cli.run(
      ...['run', 'b', 'sh', '-c'],
      'cat /root/mine 2>/dev/null; test -f /etc/debian_version && cat /etc/hostname; stat -c %u:%a /etc /etc/hostname',
    )
    assert.equal(other.stdout, 'b\n0:755\n0:644\n')
    const ids = await Promise.all(['a', 'b'].map((name) => cli.run('run', name, 'cat', '/etc/machine-id')))
    assert.match(ids[0]?.stdout ?? '', /^[0-9a-f]{32}\n$/)
    assert.notEqual(ids[0]?.stdout, ids[1]?.stdout)
    await cli.run('rm', '--force', 'a')
    assert.equal((await cli.run('run', 'b', 'cat', '/etc/hostname')).stdout, 'b\n')
    await cli.run('rm', '--force', 'b')
    // For the next environment.
    assert.equal((await layersIn(cli)).length, 1)
  })
}

test('another file with the bytes of an image that was unpacked is not unpacked again', {
  skip: noOverlays,
}, async (t) => {
  const cli = await environmentCli(t)
  const {path: rootfs} = await tinyRootfs(t)
  assert.equal((await cli.run('create', rootfs, '-n', 'a')).status, 0)
  const before = await layersIn(cli)
  const copy = join(cli.home, 'copy.tar.gz')
  await copyFile(rootfs, copy)
  const made = await cli.run('create', copy, '-n', 'b')
  assert.equal(made.status, 0, made.stderr)
  // One more, the environment's own; nothing of what was begun while the digest was made.
  assert.equal((await layersIn(cli)).length, before.length + 1)

  await copyFile(rootfs, join(cli.home, 'other.tar.gz'))
  const sha256 = 'a'.repeat(64)
  const refused = await cli.run('create', join(cli.home, 'other.tar.gz'), '-n', 'c', '--sha256', sha256)
  assert.equal(refused.status, 6, refused.stderr)
  assert.match(refused.stderr, /The SHA-256 digest of .*other\.tar\.gz is /)
  assert.equal((await layersIn(cli)).length, before.length + 1)
})

test('of creates of one image at once, one unpacks what all stand on', {skip: noOverlays}, async (t) => {
  const cli = await environmentCli(t)
  // Enough for all of them to begin before one has ended.
  const {path: rootfs} = await tinyRootfs(t, {files: 3000})
  const made = await Promise.all(['a', 'b', 'c'].map((name) => cli.run('create', rootfs, '-n', name)))
  assert.deepEqual(
    made.map(({status}) => status),
    [0, 0, 0],
  )
  const left = (await layersIn(cli)).filter((name) => name.startsWith('.'))
  assert.deepEqual([left, (await layersIn(cli)).length], [[], 4])
})

test('a whole tree is made where that is asked for, and layers are refused where they can not be had', async (t) => {
  const cli = await environmentCli(t)
  const {path: rootfs} = await tinyRootfs(t)
  await cli.run('create', rootfs, '-n', 'plain', '--storage', 'directory')
  const shown = JSON.parse((await cli.run('show', 'plain', '--json')).stdout)
  assert.deepEqual([shown.storage, shown.sharedBytes], ['directory', 0])
  // overlayfs separates folders by colons.
  const env = {XDG_DATA_HOME: join(cli.home, 'a:b')}
  const refused = await cli.runWith({env}, 'create', rootfs, '-n', 'x', '--storage', 'overlay', '--json')
  assert.equal(JSON.parse(refused.stdout).error.code, 'ENVS_STORAGE_UNAVAILABLE')
  assert.equal(refused.status, 7)
  const auto = await cli.runWith({env}, 'create', rootfs, '-n', 'x', '--json')
  assert.equal(JSON.parse(auto.stdout).storage, 'directory')
  await cli.runWith({env}, 'rm', 'x')
})
