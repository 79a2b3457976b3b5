import assert from 'node:assert/strict'
import {test} from 'node:test'
import {debArchitecture} from '../../../src/host/machine/arch.js'
import type {Archive} from '../../support/archive.js'
import {type Ran, sandboxedCli} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {type FamilyMemory, watchFamilyMemory} from '../../support/family-memory.js'
import {fileScope} from '../../support/file-scope.js'
import {publishUbuntuBase, startImageServers} from '../../support/image-servers.js'
import {leftBehind} from '../../support/left-behind.js'
import {poorerHost} from '../../support/poorer-host.js'
import {startGroup} from '../../support/process-group.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {openUbuntu, realPackages} from '../../support/ubuntu-packages.js'

const NOWHERE = 'http://127.0.0.1:1'
const NO_IMAGES = {
  ENVS_MIRROR_UBUNTU_BASE: NOWHERE,
  ENVS_MIRROR_UBUNTU_CLOUD: NOWHERE,
  ENVS_MIRROR_LXC: NOWHERE,
}
const MADE =
  "No image server could be reached: envs made the image from Ubuntu's packages. Unlike the image that Ubuntu publishes, it has only the required packages and APT, in today's versions, and its APT sources do not name the backports."

type Noble = {
  readonly archive: Archive
  readonly cli: EnvironmentCli
  readonly created: Pick<Ran, 'status' | 'stdout' | 'stderr'>
  readonly memory: FamilyMemory
}

const scope = fileScope()
const packages = realPackages()
let made: Promise<Noble> | undefined

/** `envs create noble` where no image of it is in reach, once for all tests. */
function noble(): Promise<Noble> {
  made ??= (async () => {
    const archive = await openUbuntu(scope, 'noble', {
      packages: await packages(scope, 'zstd'),
      // As many as main and universe have.
      listedOnly: 70_000,
    })
    const cli = await environmentCli(scope, {...archive.variables, ...NO_IMAGES})
    const run = startGroup(cli, ['create', 'noble'])
    const memory = watchFamilyMemory(run.pid)
    const created = await run.ended
    memory.stop()
    assert.equal(created.status, 0, created.stderr)
    return {archive, cli, created, memory}
  })()
  return made
}

test('noble, whose images are out of reach, is made of its packages, and one line says so', async () => {
  const {cli, created} = await noble()
  const lines = created.stderr.split('\n')
  assert.equal(lines.filter((line) => line === MADE).length, 1, created.stderr)
  assert.ok(!created.stderr.includes(NOWHERE), created.stderr)
  const {image} = JSON.parse((await cli.run('show', 'noble', '--json')).stdout)
  assert.deepEqual([image.name, image.trust], ['ubuntu:noble/archive', 'signed'])
  const [listed] = JSON.parse((await cli.run('image', 'list', '--json')).stdout)
  assert.deepEqual(listed.usedBy, ['noble'])
  assert.notEqual(listed.lastUsedAt, null)
})

test('image pull makes it of its packages too, and says the same', async () => {
  const {cli} = await noble()
  const pulled = await cli.run('image', 'pull', 'noble')
  assert.equal(pulled.status, 0, pulled.stderr)
  assert.match(pulled.stdout, /^Had ubuntu:noble\/archive \S+, sha256:[0-9a-f]{64}\n$/)
  assert.ok(pulled.stderr.split('\n').includes(MADE), pulled.stderr)
})

test('none of the processes of the making takes 300 MB', async () => {
  const {memory} = await noble()
  const names = [...memory.peaks.keys()].join('\n')
  assert.match(names, /envs\.js create noble/)
  assert.match(names, /rootfs-worker/)
  const large = [...memory.peaks].filter(([, bytes]) => bytes >= 300_000_000)
  assert.deepEqual(large, [])
})

test('on a host without zstd, xz, dpkg or tar, in the other identity, it is the same image', async (t) => {
  const {archive, cli: first} = await noble()
  const without = ['dpkg', 'dpkg-deb', 'apt', 'apt-get', 'debootstrap', 'tar', 'xz', 'zstd', 'gzip']
  const behind = await poorerHost(t, {without, identity: 'emulated'})
  const cli = await sandboxedCli(t, behind, {...archive.variables, ENVS_IDENTITY: 'emulated'})
  const pulled = await cli.run('image', 'pull', 'noble/archive', '--json')
  assert.equal(pulled.status, 0, pulled.stdout)
  const {image} = JSON.parse((await first.run('show', 'noble', '--json')).stdout)
  assert.equal(JSON.parse(pulled.stdout).sha256, image.sha256)
})

test('a second one is made of the kept image while nobody answers, and asks nobody for packages', async () => {
  const {archive, cli} = await noble()
  const before = archive.requested().length
  const offline = {env: {ENVS_MIRROR_UBUNTU_ARCHIVE: NOWHERE}}
  const second = await cli.runWith(offline, 'create', 'noble', '--name', 'second')
  assert.equal(second.status, 0, second.stderr)
  assert.match(second.stderr, /Used the kept image ubuntu:noble\/archive/)
  assert.equal(archive.requested().length, before)
  const ran = await cli.run('run', 'second', '--', 'dpkg-query', '--show', 'ubuntu-keyring')
  assert.equal(ran.stdout, 'ubuntu-keyring\t2024\n', ran.stderr)
  assert.equal((await cli.run('rm', '--force', 'second')).status, 0)
})

test('a newer version of a package makes another image', async () => {
  const {archive, cli} = await noble()
  await archive.publish('security', {
    packages: [{name: 'unmerged', version: '2', architecture: 'all', priority: 'required'}],
  })
  const before = archive.requested().length
  const pulled = await cli.run('image', 'pull', 'noble/archive', '--json')
  assert.equal(pulled.status, 0, pulled.stdout)
  const fetched = archive
    .requested()
    .slice(before)
    .filter((path) => path.endsWith('.deb'))
  assert.deepEqual(fetched, ['ubuntu/pool/main/u/unmerged/unmerged_2_all.deb'])
  assert.equal(JSON.parse((await cli.run('image', 'list', '--json')).stdout).length, 2)
})

test('the image that a newer one replaced is pruned, environments go on without it, and nothing is left in the end', async () => {
  const {cli} = await noble()
  const digests = async () =>
    JSON.parse((await cli.run('image', 'list', '--json')).stdout).map(({sha256}: {sha256: string}) => sha256)
  const {image} = JSON.parse((await cli.run('show', 'noble', '--json')).stdout)
  const [newest, ...others] = await digests()
  assert.deepEqual(others, [image.sha256])
  assert.equal((await cli.run('image', 'prune', '--yes')).status, 0)
  assert.deepEqual(await digests(), [newest])
  assert.equal((await cli.run('run', 'noble', '--', 'true')).status, 0)
  assert.equal((await cli.run('rm', '--force', 'noble')).status, 0)
  const removed = await cli.run('image', 'rm', 'ubuntu:noble/archive')
  assert.equal(removed.status, 0, removed.stderr)
  assert.deepEqual(await digests(), [])
  assert.equal((await cli.run('prune', '--yes')).status, 0)
  assert.deepEqual(await leftBehind(cli), [])
})

test('where its image is in reach, that is taken, and no package is asked for', async (t) => {
  const {archive} = await noble()
  const before = archive.requested().length
  const servers = await startImageServers(t, {signer: archive.signer})
  const file = `ubuntu-base-24.04.3-base-${debArchitecture(process.arch)}.tar.gz`
  const {bytes} = await tinyRootfs(t)
  await publishUbuntuBase(servers, {suite: 'noble', version: '24.04', files: {[file]: bytes}})
  const cli = await environmentCli(t, {...archive.variables, ...servers.variables})
  const created = await cli.run('create', 'noble')
  assert.equal(created.status, 0, created.stderr)
  const {image} = JSON.parse((await cli.run('show', 'noble', '--json')).stdout)
  assert.equal(image.name, 'ubuntu:noble/base')
  assert.equal(archive.requested().length, before)
})
