import assert from 'node:assert/strict'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {planPackages} from '../../../src/apt/plan.js'
import {openArchive} from '../../support/archive.js'
import {clientOf, NOBLE, TRIXIE} from '../../support/archive-context.js'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

test('a pocket whose Release is not there is passed over, and that is said', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: SYSTEM,
    updates: undefined,
  })
  const {context, notices} = await clientOf(t, archive)
  const {pockets} = await planPackages(TRIXIE, context)
  assert.deepEqual(
    pockets.map(({name}) => name),
    ['release', 'security'],
  )
  assert.deepEqual(notices, [
    {kind: 'pocket-missing', suite: 'trixie-updates', mirror: archive.mirrors.debian},
  ])
})

for (const [what, status] of [
  ['a failure of the server', 500],
  ['a refusal', 403],
] as const) {
  test(`${what} at a pocket is an error: updates are not left out for it`, async (t) => {
    const {archive, plan} = await givenVictim(t)
    const answer = (_: unknown, response: {writeHead(status: number): {end(): void}}) =>
      response.writeHead(status).end()
    archive.answerNext('debian-security/dists/trixie-security/InRelease', answer, answer, answer)
    await assert.rejects(plan(), {
      code: 'ENVS_ARCHIVE_UNREACHABLE',
      exitCode: 5,
      message: `Could not download trixie-security from ${archive.mirrors.debianSecurity}: it answered with status ${status}.`,
    })
  })
}

test('a suite that no mirror has is told with the mirrors', async (t) => {
  const {archive, plan} = await givenVictim(t)
  archive.withdraw('release')
  await assert.rejects(plan(), {
    code: 'ENVS_SUITE_NOT_FOUND',
    exitCode: 3,
    message: `No mirror has the suite trixie: there is no Release of it at ${archive.mirrors.debian}.`,
  })
})

test('an architecture and a component that a suite lacks are told with those it has', async (t) => {
  const {context} = await givenVictim(t)
  await assert.rejects(planPackages({...TRIXIE, architecture: 'riscv64'}, context), {
    code: 'ENVS_NOT_IN_SUITE',
    message: /has no packages for riscv64: it has all, amd64\.$/,
  })
  await assert.rejects(planPackages({...TRIXIE, components: ['main', 'contrib']}, context), {
    code: 'ENVS_NOT_IN_SUITE',
    message: /has no component contrib: it has main\.$/,
  })
})

test('without the network, what was verified before does, and that is said', async (t) => {
  const {archive, notices, plan} = await givenVictim(t)
  const before = await plan()
  archive.cut()
  assert.deepEqual(await plan(), before)
  assert.deepEqual(
    notices
      .map((notice) => notice.kind === 'release-from-cache' && [notice.suite, notice.date, notice.reason])
      .sort(),
    before.pockets.map(({suite, date}) => [suite, date, 'the connection broke']).sort(),
  )
})

test('copies that a crash has damaged are as none', async (t) => {
  const {context, plan} = await givenVictim(t)
  const before = await plan()
  for (const kind of ['releases', 'indices']) {
    const folder = join(context.paths.cache, 'archive', kind)
    for (const name of await readdir(folder)) {
      const bytes = await readFile(join(folder, name))
      await writeFile(join(folder, name), bytes.fill(0, Math.floor(bytes.length / 2)))
    }
  }
  assert.deepEqual(await plan(), before)
})

test('without the network, and with nothing from before, suite and mirror are named', async (t) => {
  const {archive, plan} = await givenVictim(t)
  archive.cut()
  await assert.rejects(plan(), {
    code: 'ENVS_ARCHIVE_UNREACHABLE',
    message:
      /^Could not download trixie(?:-\w+)? from http:\/\/127\.0\.0\.1:\d+\/debian(?:-security)?: the connection broke\.$/,
  })
})

test('sid has no pocket beside it', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'sid',
    packages: SYSTEM,
    updates: undefined,
    security: undefined,
  })
  const {context, notices} = await clientOf(t, archive)
  const release = {distribution: 'debian', codename: 'sid', version: undefined, hasMoved: false} as const
  const {pockets} = await planPackages({...TRIXIE, release}, context)
  assert.deepEqual(
    pockets.map(({suite}) => suite),
    ['sid'],
  )
  assert.deepEqual(notices, [])
})

test('a release that moved is looked for where old releases are when the mirror has lost it', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: SYSTEM,
  })
  const {context} = await clientOf(t, archive)
  archive.withdraw('release')
  // The publisher's own server is out of reach for a test: a proxy stands for it.
  const environment = {http_proxy: archive.server.origin.href, no_proxy: archive.server.origin.host}
  const moved = {...TRIXIE.release, hasMoved: true}
  const asked = planPackages({...TRIXIE, release: moved}, {...context, environment})
  await assert.rejects(asked, {
    message: `No mirror has the suite trixie: there is no Release of it at ${archive.mirrors.debian}, http://archive.debian.org/debian.`,
  })
  assert.ok(
    archive.requested().some((path) => path.includes('archive.debian.org/debian/dists/trixie/InRelease')),
  )
})

test('ports of Ubuntu lie in an archive of their own', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite: 'noble',
    architecture: 'riscv64',
    packages: SYSTEM,
  })
  const {context} = await clientOf(t, archive)
  const plan = await planPackages({...NOBLE, architecture: 'riscv64'}, context)
  assert.match(
    plan.packages[0]?.url.pathname ?? '',
    /^\/ubuntu-ports\/pool\/main\/a\/apt\/apt_1\.0-1_riscv64\.deb$/,
  )
})
