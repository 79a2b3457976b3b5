import assert from 'node:assert/strict'
import {type TestContext, test} from 'node:test'
import {debArchitecture} from '../../../src/host/machine/arch.js'
import {type Archive, openArchive, pathWith} from '../../support/archive.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {leftBehind} from '../../support/left-behind.js'
import {SYSTEM} from '../../support/refused-archive.js'
import {makeSigner} from '../../support/signer.js'

const DAY_MS = 86_400_000
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS)
const RELEASE = 'ubuntu/dists/noble/InRelease'

type Case = {
  readonly what: string
  readonly code: string
  tamper(archive: Archive, cli: EnvironmentCli): unknown
}

const CASES: readonly Case[] = [
  {
    what: 'a word of its signed Release is another',
    code: 'ENVS_BAD_SIGNATURE',
    tamper: (archive) =>
      change(archive, RELEASE, (body) => body.toString().replace('Label: Ubuntu', 'Label: Debian')),
  },
  {
    what: 'its Release is not signed',
    code: 'ENVS_RELEASE_UNSIGNED',
    tamper: async (archive) => {
      archive.files.delete(RELEASE)
      await archive.publish('release', {packages: SYSTEM, signature: 'none'})
    },
  },
  {
    what: 'its Release is signed by a stranger',
    code: 'ENVS_UNKNOWN_SIGNER',
    tamper: async (archive) =>
      archive.publish('release', {packages: SYSTEM, signer: await makeSigner({name: 'Stranger'})}),
  },
  {
    what: 'its Release is that of another suite',
    code: 'ENVS_RELEASE_WRONG_SUITE',
    tamper: (archive) =>
      archive.publish('release', {packages: SYSTEM, release: {Codename: 'jammy', Suite: 'jammy'}}),
  },
  {
    what: 'its pocket of security is the release again',
    code: 'ENVS_RELEASE_WRONG_SUITE',
    tamper: (archive) =>
      archive.files.set(
        'ubuntu/dists/noble-security/InRelease',
        archive.files.get(RELEASE) ?? Buffer.alloc(0),
      ),
  },
  {
    what: 'the time of its Release is over',
    code: 'ENVS_RELEASE_EXPIRED',
    tamper: (archive) =>
      archive.publish('release', {packages: SYSTEM, date: inDays(-9), validUntil: inDays(-2)}),
  },
  {
    what: 'its Release is of a day to come',
    code: 'ENVS_RELEASE_FROM_FUTURE',
    tamper: (archive) => archive.publish('release', {packages: SYSTEM, date: inDays(3)}),
  },
  {
    what: 'its Release is older than the one before',
    code: 'ENVS_RELEASE_DOWNGRADED',
    tamper: async (archive, cli) => {
      const seen = await cli.run('create', 'noble/archive', '--include', 'no-such-package')
      assert.equal(seen.status, 3, seen.stderr)
      await archive.publish('release', {packages: SYSTEM, date: inDays(-1)})
    },
  },
  {
    what: 'an index is another',
    code: 'ENVS_INDEX_MISMATCH',
    tamper: (archive) => changeIndices(archive, (body) => Buffer.alloc(body.length, 'x')),
  },
  {
    what: 'an index is not there',
    code: 'ENVS_INDEX_MISSING',
    tamper: (archive) => changeIndices(archive, () => undefined),
  },
  {
    what: 'a package is another',
    code: 'ENVS_PACKAGE_MISMATCH',
    tamper: (archive) =>
      change(archive, pathWith(archive, 'apt_1.0-1'), (body) => Buffer.alloc(body.length, 'x')),
  },
]

for (const {what, code, tamper} of CASES) {
  test(`an archive is refused where ${what}, and of the try nothing is left but caches`, async (t) => {
    const {archive, cli} = await given(t)
    await tamper(archive, cli)
    const {status, stdout, stderr} = await cli.run('create', 'noble/archive', '--json')
    const {error} = JSON.parse(stdout)
    assert.deepEqual([status, error.code, stderr], [6, code, ''], stdout)
    assert.ok(error.message.includes(archive.server.origin.host), error.message)
    assert.deepEqual(await leftBehind(cli), [])
  })
}

test('what a Release says of itself reaches no terminal as it is', async (t) => {
  const {archive, cli} = await given(t)
  await archive.publish('release', {packages: SYSTEM, release: {Codename: 'jam\u001b[31mmy'}})
  const {status, stdout, stderr} = await cli.run('create', 'noble/archive', '--quiet')
  assert.deepEqual([status, stdout], [6, ''])
  assert.match(stderr, /^envs: .* serves the Release of jam\\e\[31mmy \(noble\) as that of noble\.\n/)
  assert.ok(!stderr.includes('\u001b'), JSON.stringify(stderr))
})

async function given(t: TestContext): Promise<{archive: Archive; cli: EnvironmentCli}> {
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite: 'noble',
    architecture: debArchitecture(process.arch),
    packages: SYSTEM,
  })
  return {archive, cli: await environmentCli(t, archive.variables)}
}

function change(archive: Archive, path: string, edit: (body: Buffer) => Buffer | string): void {
  const body = archive.files.get(path)
  assert.ok(body)
  archive.files.set(path, Buffer.from(edit(body)))
}

/** Of the release, by whatever name they lie there. */
function changeIndices(archive: Archive, edit: (body: Buffer) => Buffer | undefined): void {
  for (const [path, body] of archive.files) {
    if (!path.startsWith('ubuntu/dists/noble/main/')) continue
    const edited = edit(body)
    if (edited === undefined) archive.files.delete(path)
    else archive.files.set(path, edited)
  }
}
