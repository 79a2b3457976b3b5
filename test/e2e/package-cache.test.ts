import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Identity} from '../../src/sandbox/identity.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {IDENTITIES} from '../support/guest.js'
import {notFound, type PackageArchive, startPackageArchive, useArchive} from '../support/package-archive.js'
import {seededRootfs} from '../support/seeded-image.js'

for (const {identity, skip} of IDENTITIES) {
  test(`${identity}: what one environment installed, the next installs without network`, {
    skip,
  }, async (t) => {
    const archive = await startPackageArchive(t, ['alpha', 'beta'])
    const {cli, sh} = await given(t, archive, {identity})
    const first = await sh('one', install('alpha', 'beta'))
    assert.equal(first.status, 0, first.stderr)
    assert.deepEqual([...archive.fetched].sort(), ['alpha', 'beta'])
    archive.answerWith(notFound)
    const second = await sh('two', install('alpha', 'beta'))
    assert.deepEqual([second.status, second.stderr], [0, ''])
    assert.equal((await sh('two', 'alpha; beta; dpkg --audit')).stdout, 'alpha\nbeta\n')
    assert.equal(archive.fetched.length, 2)
    assert.deepEqual(await contents(cli), digests(archive, 'alpha', 'beta'))
  })
}

test('an environment of one identity takes what one of the other has fetched', async (t) => {
  const unavailable = IDENTITIES.find(({skip}) => skip !== false)
  if (unavailable !== undefined) return t.skip(String(unavailable.skip))
  const archive = await startPackageArchive(t, ['alpha', 'beta'])
  const {cli, sh} = await given(t, archive, {names: ['one']})
  await create(cli, 'two', 'mapped')
  assert.equal((await sh('two', useArchive(archive))).status, 0)
  await sh('one', install('alpha'))
  await sh('two', install('beta'))
  archive.answerWith(notFound)
  assert.equal((await sh('one', install('beta'))).status, 0)
  assert.equal((await sh('two', install('alpha'))).status, 0)
})

test('two environments install the same at once and leave one copy of each package', async (t) => {
  const names = ['alpha', 'beta', 'gamma', 'delta']
  const archive = await startPackageArchive(t, names)
  const {cli, sh} = await given(t, archive)
  const both = await Promise.all(['one', 'two'].map((name) => sh(name, install(...names))))
  assert.deepEqual(
    both.map(({status, stderr}) => [status, stderr]),
    [
      [0, ''],
      [0, ''],
    ],
  )
  assert.deepEqual(await contents(cli), digests(archive, ...names))
})

const install = (...names: string[]) =>
  `DEBIAN_FRONTEND=noninteractive apt-get -qq install -y ${names.join(' ')}`

const packagesOf = (cli: EnvironmentCli) => join(cli.home, 'cache/envs/packages/sha256')

/** Names of the files that are kept. */
async function contents(cli: EnvironmentCli): Promise<string[]> {
  return (await readdir(packagesOf(cli))).sort()
}

function digests(archive: PackageArchive, ...names: string[]): string[] {
  return names.map((name) => archive.package(name).sha256).sort()
}

async function create(cli: EnvironmentCli, name: string, identity: Identity): Promise<void> {
  const made = await cli.run(
    'create',
    await seededRootfs(cli, identity),
    '--name',
    name,
    '--identity',
    identity,
    '-q',
  )
  assert.equal(made.status, 0, made.stderr)
}

/** Environments, of one image and one store, whose APT knows the archive. */
async function given(
  t: TestContext,
  archive: PackageArchive,
  {identity = 'emulated', names = ['one', 'two']}: {identity?: Identity; names?: readonly string[]} = {},
) {
  const cli = await environmentCli(t)
  const sh = (name: string, script: string) => cli.run('run', name, 'sh', '-c', script)
  for (const name of names) {
    await create(cli, name, identity)
    const ran = await sh(name, useArchive(archive))
    assert.equal(ran.status, 0, ran.stderr)
  }
  return {cli, sh}
}
