import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {type TestContext, test} from 'node:test'
import {planPackages} from '../../../src/apt/plan.js'
import {openArchive, pathWith} from '../../support/archive.js'
import {clientOf, NOBLE, TRIXIE} from '../../support/archive-context.js'

const BASE = [
  {
    name: 'base-files',
    priority: 'required',
    isEssential: true,
    preDepends: 'awk',
    depends: 'libc6 (>= 2.41)',
  },
  {name: 'mawk', priority: 'required', provides: 'awk', preDepends: 'libc6 (>= 2.41)'},
  {name: 'libc6', version: '2.41-12', depends: 'libgcc-s1'},
  {name: 'libgcc-s1', depends: 'libc6 (>= 2.41)'},
  {name: 'apt', priority: 'important', depends: 'base-files'},
  {name: 'nano', priority: 'important'},
  {name: 'hello'},
] as const

test('a plan of Debian: what is required and APT, with all it depends on, from every pocket the newest', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: BASE,
    updates: [{name: 'libgcc-s1', version: '1.0-1+u1', depends: 'libc6'}],
    security: [{name: 'libc6', version: '2.41-12+deb13u1', depends: 'libgcc-s1'}],
  })
  const {context, notices} = await clientOf(t, archive)
  const plan = await planPackages(TRIXIE, context)
  assert.deepEqual(
    plan.packages.map(({name, version, pocket}) => `${name} ${version} ${pocket}`),
    [
      'apt 1.0-1 release',
      'base-files 1.0-1 release',
      'libc6 2.41-12+deb13u1 security',
      'libgcc-s1 1.0-1+u1 updates',
      'mawk 1.0-1 release',
    ],
  )
  const libc = plan.packages[2]
  const path = pathWith(archive, 'libc6_2.41-12+deb13u1')
  const bytes = archive.files.get(path) ?? Buffer.alloc(0)
  assert.equal(libc?.url.href, new URL(path, archive.server.origin).href)
  assert.equal(libc?.sha256, createHash('sha256').update(bytes).digest('hex'))
  assert.equal(libc?.sizeBytes, bytes.length)
  assert.equal(libc?.installedBytes, 4096)
  assert.deepEqual(
    plan.pockets.map(({name, suite, mirror, components, signer}) => ({
      name,
      suite,
      mirror,
      components,
      signer,
    })),
    (['release', 'updates', 'security'] as const).map((name) => ({
      name,
      suite: name === 'release' ? 'trixie' : `trixie-${name}`,
      mirror: name === 'security' ? archive.mirrors.debianSecurity : archive.mirrors.debian,
      components: ['main'],
      signer: {fingerprint: archive.signer.fingerprint, name: 'Test Publisher'},
    })),
  )
  assert.equal(
    plan.pockets[1]?.validUntil?.getTime(),
    (plan.pockets[1]?.date.getTime() ?? 0) + 7 * 86_400_000,
  )
  assert.deepEqual(plan.rootLinks, [])
  assert.deepEqual(notices, [])
})

test('a plan of Ubuntu: all pockets from one archive, told apart by their field Suite', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite: 'noble',
    packages: BASE,
    updates: [{name: 'apt', version: '1.0-1ubuntu2', priority: 'important', depends: 'base-files'}],
  })
  const {context} = await clientOf(t, archive)
  const plan = await planPackages(NOBLE, context)
  assert.deepEqual(
    plan.pockets.map(({suite, mirror, validUntil}) => [suite, mirror, validUntil]),
    ['noble', 'noble-updates', 'noble-security'].map((suite) => [suite, archive.mirrors.ubuntu, undefined]),
  )
  assert.equal(plan.packages.find(({name}) => name === 'apt')?.version, '1.0-1ubuntu2')
  assert.deepEqual(plan.rootLinks, ['bin', 'sbin', 'lib', 'lib64'])
})

test('standard has what is important as well, and a package that is asked for brings what it needs', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: [
      ...BASE,
      {name: 'tool', depends: 'library (>= 2) | other', component: 'contrib'},
      {name: 'other'},
    ],
    components: ['main', 'contrib'],
  })
  const {context} = await clientOf(t, archive)
  const plan = await planPackages(
    {...TRIXIE, variant: 'standard', include: ['tool'], components: ['main', 'contrib']},
    context,
  )
  const names = plan.packages.map(({name}) => name)
  assert.deepEqual(names, ['apt', 'base-files', 'libc6', 'libgcc-s1', 'mawk', 'nano', 'other', 'tool'])
})

/** A release of Ubuntu with a package in universe, and one in main that depends on it. */
async function nobleWithUniverse(t: TestContext) {
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite: 'noble',
    packages: [...BASE, {name: 'tool', component: 'universe'}, {name: 'lame', depends: 'absent | tool'}],
    components: ['main', 'universe', 'multiverse'],
  })
  return {archive, ...(await clientOf(t, archive))}
}

test('a package of another component is not taken, and the error names that component', async (t) => {
  const {context} = await nobleWithUniverse(t)
  await assert.rejects(planPackages({...NOBLE, include: ['tool']}, context), {
    code: 'ENVS_PACKAGE_NOT_FOUND',
    message: 'There is no package "tool" in main of noble.',
    suggestions: ['The component universe of noble has tool: --components main,universe'],
  })
})

test('a dependency in another component is not taken, and the error names that component', async (t) => {
  const {context} = await nobleWithUniverse(t)
  await assert.rejects(planPackages({...NOBLE, include: ['lame']}, context), {
    code: 'ENVS_UNMET_DEPENDENCY',
    message: 'The package "lame" depends on absent or tool, which main of noble does not have.',
    suggestions: ['The component universe of noble has tool: --components main,universe'],
  })
})

test('a package that no component has is reported so, with the similar names', async (t) => {
  const {context} = await nobleWithUniverse(t)
  await assert.rejects(planPackages({...NOBLE, include: ['lime']}, context), {
    code: 'ENVS_PACKAGE_NOT_FOUND',
    suggestions: ['Did you mean lame?', 'No other component has it either: universe, multiverse.'],
  })
})

test('a component that can not be read leaves the error without its name', async (t) => {
  const {archive, context} = await nobleWithUniverse(t)
  for (const path of archive.files.keys()) if (path.includes('/universe/')) archive.files.delete(path)
  await assert.rejects(planPackages({...NOBLE, include: ['tool']}, context), {
    suggestions: [
      'If another component of noble has it, name that component too: --components main,COMPONENT',
    ],
  })
})

test('the plan has the components that each Release lists', async (t) => {
  const {context} = await nobleWithUniverse(t)
  const {pockets} = await planPackages(NOBLE, context)
  assert.deepEqual(
    pockets.map(({components, offered}) => [components, offered]),
    Array(3).fill([['main'], ['main', 'universe', 'multiverse']]),
  )
})

test('indices are asked for by their digest, and those that are known not at all', async (t) => {
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: BASE})
  const {context} = await clientOf(t, archive)
  const first = await planPackages(TRIXIE, context)
  const asked = archive.requested()
  assert.deepEqual(
    asked
      .filter((path) => path.includes('binary-amd64'))
      .map((path) => /by-hash\/SHA256\/[0-9a-f]{64}$/.test(path)),
    [true, true, true],
  )
  const second = await planPackages(TRIXIE, context)
  assert.deepEqual(second, first)
  assert.deepEqual(archive.requested().slice(asked.length).sort(), [
    'debian-security/dists/trixie-security/InRelease',
    'debian/dists/trixie-updates/InRelease',
    'debian/dists/trixie/InRelease',
  ])
})

test('a mirror without by-hash folders, compressed by gzip alone, does', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: [],
    updates: undefined,
  })
  await archive.publish('release', {packages: BASE, hasByHash: false, indices: ['gz']})
  const {context} = await clientOf(t, archive)
  assert.equal((await planPackages(TRIXIE, context)).packages.length, 5)
  assert.ok(archive.requested().includes('debian/dists/trixie/main/binary-amd64/Packages.gz'))
})

test('where only the by-hash file is gone, the one of the usual name is taken', async (t) => {
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: BASE})
  for (const path of archive.files.keys()) if (path.includes('by-hash')) archive.files.delete(path)
  const {context} = await clientOf(t, archive)
  assert.equal((await planPackages(TRIXIE, context)).packages.length, 5)
})

test('Release with a signature beside it does where there is no InRelease', async (t) => {
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: BASE})
  archive.withdraw('release')
  await archive.publish('release', {packages: BASE, signature: 'beside'})
  const {context} = await clientOf(t, archive)
  const plan = await planPackages(TRIXIE, context)
  const release = archive.files.get('debian/dists/trixie/Release') ?? Buffer.alloc(0)
  assert.equal(plan.pockets[0]?.inReleaseSha256, createHash('sha256').update(release).digest('hex'))
})

test('a host without xz reads the indices by gzip where it can', async (t) => {
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: BASE})
  const {context} = await clientOf(t, archive, {which: () => undefined})
  const plan = await planPackages(TRIXIE, context)
  assert.equal(plan.packages.length, 5)
  const gzip = archive.files.get('debian/dists/trixie/main/binary-amd64/Packages.gz') ?? Buffer.alloc(0)
  const digest = createHash('sha256').update(gzip).digest('hex')
  assert.ok(archive.requested().some((path) => path.endsWith(digest)))
})
