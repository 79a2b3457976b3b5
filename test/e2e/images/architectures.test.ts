import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {foreignRootfs, giveQemu} from '../../support/foreign-programs.js'
import {whyNoTable} from '../../support/foreign-table.js'
import {imageCli} from '../../support/image-cli.js'
import {publishUbuntuBase} from '../../support/image-servers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const OWN = openHost().architecture

async function given(t: Parameters<typeof imageCli>[0], archive: Buffer) {
  const found = await imageCli(t)
  const own = await tinyRootfs(t)
  await publishUbuntuBase(found.servers, {
    suite: 'focal',
    version: '20.04',
    files: {
      [`ubuntu-base-20.04.5-base-${OWN}.tar.gz`]: own.bytes,
      'ubuntu-base-20.04.5-base-riscv64.tar.gz': archive,
    },
  })
  return found
}

test('an image of another processor is fetched, kept and removed beside the one of the host', async (t) => {
  const {envs, entries} = await given(t, (await tinyRootfs(t, {files: 1})).bytes)
  for (const flags of [[], ['--arch', 'riscv64']]) {
    const pulled = await envs('image', 'pull', 'focal', '--json', ...flags)
    assert.equal(pulled.status, 0, pulled.stderr)
    assert.equal(JSON.parse(pulled.stdout).architecture, flags[1] ?? OWN)
  }
  assert.equal((await entries()).length, 2)
  const missing = await envs('image', 'pull', 'focal', '--arch', 's390x', '--json')
  assert.equal(JSON.parse(missing.stdout).error.code, 'ENVS_IMAGE_NOT_PUBLISHED')
  const removed = await envs('image', 'rm', 'focal', '--arch', 'riscv64')
  assert.equal(removed.status, 0, removed.stderr)
  const images = JSON.parse((await envs('image', 'list', '--json')).stdout)
  assert.deepEqual(
    images.map(({architecture}: {architecture: string}) => architecture),
    [OWN],
  )
})

test("create makes an environment of a publisher's image for another processor", {
  skip: await whyNoTable(),
}, async (t) => {
  const {envs, cli, servers} = await imageCli(t)
  await giveQemu(cli)
  await publishUbuntuBase(servers, {
    suite: 'focal',
    version: '20.04',
    files: {'ubuntu-base-20.04.5-base-arm64.tar.gz': await readFile(await foreignRootfs())},
  })
  const created = await envs('create', 'focal', '-a', 'arm64')
  assert.equal(created.status, 0, created.stderr)
  assert.match(created.stderr, /^Architecture arm64: QEMU runs its programs/m)
  assert.equal((await envs('run', 'focal', '--', 'uname', '-m')).stdout, 'aarch64\n')
})
