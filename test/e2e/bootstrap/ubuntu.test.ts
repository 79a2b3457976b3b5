import assert from 'node:assert/strict'
import {test} from 'node:test'
import {NOT_AS_INSTALLED} from '../../support/bootstrapped.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {startPublisherProxy} from '../../support/publisher-proxy.js'
import {openUbuntu, realPackages} from '../../support/ubuntu-packages.js'

const packages = realPackages()

const LINES = [
  NOT_AS_INSTALLED,
  'cat /usr/lib/os-release | grep ^ID=',
  'dpkg-query --show ubuntu-keyring',
  'readlink /bin /sbin /lib',
  '/usr/bin/unmerged',
  'apt-get -qq update && apt-get -qq install -y hello >/dev/null && hello',
]

const FOUND = `ID=ubuntu
ubuntu-keyring\t2024
usr/bin
usr/sbin
usr/lib
unmerged
Hello, world!
`

for (const suite of ['focal', 'jammy']) {
  test(`${suite} made of its packages is whole and up to date, and its APT installs from where they came`, async (t) => {
    const archive = await openUbuntu(t, suite, {
      packages: await packages(t, suite === 'focal' ? 'xz' : 'zstd'),
    })
    const cli = await environmentCli(t, archive.variables)
    const created = await cli.run('create', `${suite}/archive`, '--name', 'made', '--quiet')
    assert.equal(created.status, 0, created.stderr)
    await assertWhole(cli)
  })
}

test('noble is made of its packages once: an archive that was asked today is not asked again for what is kept', async (t) => {
  const archive = await openUbuntu(t, 'noble', {packages: await packages(t, 'zstd')})
  const cli = await environmentCli(t, archive.variables)
  const pulled = await cli.run('image', 'pull', 'noble/archive', '--json')
  assert.equal(pulled.status, 0, pulled.stderr)
  const asked = archive.requested().length
  const created = await cli.run('create', 'noble/archive', '--name', 'made', '--json')
  assert.equal(created.status, 0, created.stderr)
  assert.equal(archive.requested().length, asked)
  assert.equal(JSON.parse(created.stdout).image.sha256, JSON.parse(pulled.stdout).sha256)
  await assertWhole(cli)
  const before = archive.requested().length
  const other = await cli.run('create', 'noble/archive', '--name', 'other', '--include', 'no-such', '--json')
  assert.equal(JSON.parse(other.stdout).error.code, 'ENVS_PACKAGE_NOT_FOUND')
  assert.ok(archive.requested().length > before, 'for another wish it is asked')
})

test('mantic, which is not supported any more, is made of what the archive of old releases has', async (t) => {
  const archive = await openUbuntu(t, 'mantic', {packages: await packages(t, 'zstd')})
  const url = 'http://old-releases.ubuntu.com/ubuntu'
  const proxy = await startPublisherProxy(t, {url, archive, root: 'ubuntu'})
  const cli = await environmentCli(t, proxy.variables)
  const created = await cli.run('create', 'mantic/archive', '--name', 'made', '--quiet')
  const ended =
    'envs: warning: Ubuntu 23.10 (Mantic Minotaur) reached its end of life on 2024-07-11, and gets no security updates.\n'
  assert.deepEqual([created.status, created.stderr], [0, ended])
  await assertWhole(cli)
  assert.deepEqual(proxy.hosts(), ['old-releases.ubuntu.com'])
})

test('resolute, of whose pockets one is past its time, is made where that is asked for, and APT inside takes it too', async (t) => {
  const archive = await openUbuntu(t, 'resolute', {packages: await packages(t, 'zstd')})
  const day = 86_400_000
  const expired = {date: new Date(Date.now() - 9 * day), validUntil: new Date(Date.now() - day)}
  await archive.publish('updates', {packages: [], ...expired})
  const cli = await environmentCli(t, archive.variables)
  const refused = await cli.run('create', 'resolute/archive', '--json')
  assert.equal(JSON.parse(refused.stdout).error.code, 'ENVS_RELEASE_EXPIRED')
  const created = await cli.run('create', 'resolute/archive', '--name', 'made', '--allow-expired')
  assert.equal(created.status, 0, created.stderr)
  assert.match(created.stderr, /resolute-updates/)
  // Without what that pocket had.
  await assertWhole(cli, FOUND.replace('2024', '2023'))
})

async function assertWhole(cli: EnvironmentCli, found = FOUND): Promise<void> {
  const {status, stdout, stderr} = await cli.run('run', 'made', '--', 'sh', '-c', LINES.join('\n'))
  assert.deepEqual([status, stdout], [0, found], stderr)
}
