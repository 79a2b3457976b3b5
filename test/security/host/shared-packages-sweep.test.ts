import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {lstat, mkdir, readdir, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES, ownGuest} from '../../support/guest.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const DIGEST = '0'.repeat(64)

for (const [what, plant] of [
  ['a link to a file', (at, outside) => symlink(join(outside, 'sentinel'), join(at, DIGEST))],
  ['a link to a folder', (at, outside) => symlink(outside, join(at, DIGEST))],
  ['a link to nowhere', (at) => symlink('/nowhere', join(at, 'link'))],
  ['a FIFO', (at) => capture(['mkfifo', join(at, DIGEST)])],
  ['an empty folder', (at) => mkdir(join(at, DIGEST))],
  ['a folder with links', (at, outside) => plantFolder(at, outside)],
  ['a name that is no text', (at) => writeFile(Buffer.from(`${at}/\xff\xfe`, 'latin1'), 'x')],
  ['a name that is no digest', (at) => writeFile(join(at, 'x'), 'x')],
] as readonly (readonly [string, (at: string, outside: string) => Promise<unknown>])[]) {
  test(`create takes ${what} away from among the packages, and nothing it leads to`, async (t) => {
    const {cli, path, packages, outside} = await given(t)
    await plant(packages, outside)
    const made = await cli.run('create', path, '--identity', 'emulated', '--quiet')
    assert.equal(made.status, 0, made.stderr)
    assert.deepEqual(await readdir(packages).catch(() => []), [])
    assert.deepEqual(await readdir(outside), ['sentinel'])
    assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
  })
}

test('a folder of packages that its owner may not enter is opened again', async (t) => {
  const {cli, path, packages} = await given(t)
  await writeFile(join(packages, DIGEST), 'x')
  await capture(['chmod', '0', packages])
  assert.equal((await cli.run('create', path, '--identity', 'emulated', '--quiet')).status, 0)
  assert.deepEqual(await readdir(packages), [DIGEST])
})

for (const {identity, skip} of IDENTITIES) {
  for (const [what, plant] of [
    ['gives the packages to another owner', 'chown -R games . && chmod 0700 .'],
    ['lets nobody enter them', 'chmod 0 .'],
    ['leaves deep folders among them', 'mkdir -p a/b/c && chmod 0 a/b'],
  ] as const) {
    test(`${identity}: all works again after a guest ${what}`, {skip}, async (t) => {
      const guest = await ownGuest(t, identity)
      const ran = await guest.sh(`cd /run/envs/packages && touch ${DIGEST} && ${plant}`)
      assert.equal(ran.status, 0, ran.stderr)
      const {path} = await tinyRootfs(t)
      assert.equal((await guest.cli.run('create', path, '--quiet', '--name', 'other')).status, 0)
      await guest.cli.run('rm', 'other')
      await guest.cli.run('stop', '--force', 'play')
      const next = await guest.sh('cd /run/envs/packages && touch again && stat -c %U .')
      assert.deepEqual([next.stdout, next.stderr], ['root\n', ''])
      const shared = join(guest.cli.home, 'cache/envs/packages')
      assert.deepEqual(await readdir(shared), ['sha256'])
      assert.ok(existsSync(join(shared, 'sha256/again')))
    })
  }

  for (const [what, plant] of [
    ['a link to a folder of the host', (at: string, outside: string) => symlink(outside, at)],
    ['a file', (at: string) => writeFile(at, 'x')],
    ['a FIFO', (at: string) => capture(['mkfifo', at])],
  ] as const) {
    test(`${identity}: ${what} in the place where packages are mounted is replaced`, {skip}, async (t) => {
      const guest = await ownGuest(t, identity)
      const outside = await fillOutside(guest.cli.home)
      await guest.run('true')
      await guest.cli.run('stop', '--force', 'play')
      const at = join(guest.state, 'resolver/packages')
      await rm(at, {recursive: true})
      await plant(at, outside)
      const ran = await guest.sh('touch /run/envs/packages/made && echo works')
      assert.deepEqual([ran.stdout, ran.stderr], ['works\n', ''])
      assert.ok((await lstat(at)).isDirectory())
      assert.deepEqual(await readdir(outside), ['sentinel'])
    })
  }
}

async function plantFolder(at: string, outside: string): Promise<void> {
  await mkdir(join(at, DIGEST, 'inside'), {recursive: true})
  await symlink(outside, join(at, DIGEST, 'inside/link'))
  await symlink(join(outside, 'sentinel'), join(at, DIGEST, 'link'))
}

async function given(t: TestContext): Promise<{
  cli: EnvironmentCli
  path: string
  packages: string
  outside: string
}> {
  const cli = await environmentCli(t)
  const packages = join(cli.home, 'cache/envs/packages/sha256')
  await mkdir(packages, {recursive: true, mode: 0o700})
  return {cli, packages, path: (await tinyRootfs(t)).path, outside: await fillOutside(cli.home)}
}

async function fillOutside(home: string): Promise<string> {
  const outside = join(home, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'sentinel'), 'untouched')
  return outside
}
