import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {capture} from '../../../src/host/process.js'
import {NOT_AS_INSTALLED, sharedBootstrap} from '../../support/bootstrapped.js'
import {sandboxedCli} from '../../support/cli.js'
import {poorerHost} from '../../support/poorer-host.js'
import {startGroup} from '../../support/process-group.js'
import {waitUntil} from '../../support/wait-until.js'

const trixie = sharedBootstrap('trixie')

/** As if no mirror answered. */
const OFFLINE = {
  ENVS_MIRROR_DEBIAN_ARCHIVE: 'http://127.0.0.1:1/debian',
  ENVS_MIRROR_DEBIAN_SECURITY: 'http://127.0.0.1:1/debian-security',
}

test('every package is installed, and dpkg finds nothing wrong with any', async () => {
  const {sh} = await trixie()
  assert.equal((await sh(NOT_AS_INSTALLED)).stdout, '')
})

test('APT installs from the mirror that the image was made from', async () => {
  const {sh} = await trixie()
  const {status, stdout, stderr} = await sh(
    'apt-get -qq update && apt-get -qq install -y hello >/dev/null && hello',
  )
  assert.deepEqual([status, stdout], [0, 'Hello, world!\n'], stderr)
})

test('show tells the pockets, and the version of every package', async () => {
  const {cli} = await trixie()
  const {stdout} = await cli.run('show', 'trixie', '--json')
  const {image} = JSON.parse(stdout)
  assert.equal(image.name, 'debian:trixie/archive')
  const suites = image.archive.pockets.map(({suite}: {suite: string}) => suite)
  assert.deepEqual(suites, ['trixie', 'trixie-updates', 'trixie-security'])
  for (const pocket of image.archive.pockets) assert.match(pocket.inReleaseSha256, /^[0-9a-f]{64}$/)
  const apt = image.archive.packages.find(({name}: {name: string}) => name === 'apt')
  assert.match(apt.version, /^3\./)
})

test('a second environment is not made again, also where no mirror answers', async () => {
  const {cli, envs} = await trixie()
  const before = await readdir(join(cli.data, 'images'))
  const created = await envs({env: OFFLINE}, 'create', 'trixie', '--name', 'second')
  assert.equal(created.status, 0, created.stderr)
  assert.match(created.stderr, /Used the kept image debian:trixie\/archive/)
  assert.deepEqual(await readdir(join(cli.data, 'images')), before)
  await cli.run('rm', 'second')
})

test('the image of another day, of the other identity, on a host without dpkg, tar or decompressors is the same', async (t) => {
  const {cli: first} = await trixie()
  const without = ['dpkg', 'dpkg-deb', 'apt', 'apt-get', 'debootstrap', 'tar', 'xz', 'zstd', 'gzip']
  const behind = await poorerHost(t, {without, identity: 'emulated'})
  const cli = await sandboxedCli(t, behind, {ENVS_IDENTITY: 'emulated'})
  const pulled = await cli.run('image', 'pull', 'debian:trixie', '--json')
  assert.equal(pulled.status, 0, pulled.stdout)
  const {image} = JSON.parse((await first.run('show', 'trixie', '--json')).stdout)
  assert.equal(JSON.parse(pulled.stdout).sha256, image.sha256)
})

test('what is left of a making that was killed, processes too, is gone with the next command', async () => {
  const {cli} = await trixie()
  const layers = join(cli.data, 'layers')
  const partial = async () => (await readdir(layers)).filter((name) => name.startsWith('.partial.'))
  const run = startGroup(cli, ['image', 'pull', 'debian:trixie', '--include', 'hello'])
  const isConfiguring = async () => {
    const work = (await partial()).find((name) => name.endsWith('-work'))
    return work !== undefined && existsSync(join(layers, work, 'log'))
  }
  // It has a minute for that, and ends by itself if it gets no further.
  let hasEnded = false
  const end = run.ended.then(() => {
    hasEnded = true
  })
  while (!hasEnded && !(await isConfiguring())) await sleep(20)
  // Alone: what it started has to notice by itself.
  run.signalLeader('SIGKILL')
  await end
  assert.equal((await partial()).length, 2)
  // While anything of it lived, it would hold the lock, and the folders would stay.
  await waitUntil('the folders are gone', async () => {
    await cli.run('image', 'pull', 'debian:trixie', '--quiet')
    return (await partial()).length === 0
  })
})

test('nothing is left of the making but the image, its layer, and what was fetched', async () => {
  const {cli} = await trixie()
  const images = (await readdir(join(cli.data, 'images'))).filter((name) => name !== '.locks')
  assert.equal(images.length, 1)
  const layers = await readdir(join(cli.data, 'layers'))
  assert.deepEqual(
    layers.filter((name) => name.startsWith('.')),
    [],
  )
  const record = await readFile(join(cli.data, 'images', images[0] ?? '', 'image.json'), 'utf8')
  assert.equal(JSON.parse(record).source, 'archive')
})

test('an image with a package that makes keys holds none, and each environment of it has its own', async (t) => {
  const {cli} = await trixie()
  const wish = ['trixie', '--include', 'openssh-server', '--json']
  const names = ['with-keys', 'with-others']
  for (const name of names) {
    t.after(() => cli.run('rm', '--force', name))
    const made = await cli.run('create', ...wish, '-n', name)
    assert.equal(made.status, 0, made.stdout)
  }
  const {image} = JSON.parse((await cli.run('show', names[0] ?? '', '--json')).stdout)
  const {stdout: members} = await capture(['tar', '-tf', join(cli.data, 'images', image.sha256, 'archive')])
  assert.match(members, /^\.\/etc\/ssh\/sshd_config$/m)
  assert.doesNotMatch(members, /ssh_host/)
  const check = 'mkdir -p /run/sshd && /usr/sbin/sshd -t && cat /etc/ssh/ssh_host_*_key.pub'
  const runs = await Promise.all(names.map((name) => cli.run('run', name, '--', 'sh', '-c', check)))
  const keys = runs.flatMap(({stdout}) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1]),
  )
  assert.equal(new Set(keys).size, 6, runs.map(({stdout, stderr}) => stdout + stderr).join('\n'))
})
