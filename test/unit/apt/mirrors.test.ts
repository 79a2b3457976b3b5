import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {ArchiveRelease} from '../../../src/apt/context.js'
import {resolveSuite} from '../../../src/apt/mirrors.js'
import type {DebArchitecture} from '../../../src/host/machine/arch.js'

const UNSET = {debian: undefined, debianSecurity: undefined, ubuntu: undefined}

async function mirrorsOf(
  release: ArchiveRelease,
  {
    architecture = 'amd64',
    own = {},
  }: {architecture?: DebArchitecture; own?: Partial<typeof UNSET | Record<keyof typeof UNSET, string>>} = {},
): Promise<Record<string, readonly string[]>> {
  const context = {mirrors: {...UNSET, ...own}, aptFolder: '/nowhere'}
  const pockets = await resolveSuite(release, architecture, context)
  return Object.fromEntries(pockets.map(({suite, mirrors}) => [suite, mirrors]))
}

const trixie = {distribution: 'debian', codename: 'trixie', version: '13', hasMoved: false} as const
const buster = {distribution: 'debian', codename: 'buster', version: '10', hasMoved: true} as const
const noble = {distribution: 'ubuntu', codename: 'noble', version: '24.04', hasMoved: false} as const

test("Debian's pockets are in two archives, the publisher's where nobody says otherwise", async () => {
  assert.deepEqual(await mirrorsOf(trixie), {
    trixie: ['http://ftp.debian.org/debian'],
    'trixie-updates': ['http://ftp.debian.org/debian'],
    'trixie-security': ['http://security.debian.org/debian-security'],
  })
})

test("the user's own mirrors are the only ones that are asked", async () => {
  const own = {debian: 'http://near/debian', debianSecurity: 'http://near/security'}
  assert.deepEqual(await mirrorsOf(trixie, {own}), {
    trixie: ['http://near/debian'],
    'trixie-updates': ['http://near/debian'],
    'trixie-security': ['http://near/security'],
  })
})

test('what moved is asked for at the archive of old releases too, and its security lies elsewhere', async () => {
  assert.deepEqual(await mirrorsOf(buster), {
    buster: ['http://ftp.debian.org/debian', 'http://archive.debian.org/debian'],
    'buster-updates': ['http://ftp.debian.org/debian', 'http://archive.debian.org/debian'],
    'buster/updates': [
      'http://security.debian.org/debian-security',
      'http://archive.debian.org/debian-security',
    ],
  })
})

const ARCHIVE = 'http://archive.ubuntu.com/ubuntu'
const PORTS = 'http://ports.ubuntu.com/ubuntu-ports'

for (const [release, architecture, expected] of [
  [noble, 'amd64', [ARCHIVE]],
  [noble, 'i386', [ARCHIVE]],
  [noble, 'arm64', [PORTS, ARCHIVE]],
  [{...noble, codename: 'questing', version: '25.10'}, 'arm64', [ARCHIVE, PORTS]],
  [{...noble, codename: 'resolute', version: '26.04'}, 'arm64', [ARCHIVE, PORTS]],
  [noble, 'riscv64', [PORTS]],
  [
    {...noble, codename: 'mantic', version: '23.10', hasMoved: true},
    'arm64',
    ['http://old-releases.ubuntu.com/ubuntu'],
  ],
] as const) {
  test(`Ubuntu's ${release.codename} for ${architecture} is at ${expected.join(', else ')}`, async () => {
    const mirrors = await mirrorsOf(release, {architecture})
    assert.deepEqual(mirrors, {
      [release.codename]: expected,
      [`${release.codename}-updates`]: expected,
      [`${release.codename}-security`]: expected,
    })
  })
}

test('a release of Ubuntu that moved is asked for at the own mirror before the archive of old releases', async () => {
  const own = 'http://mirror.example.org/ubuntu'
  const mantic = {...noble, codename: 'mantic', version: '23.10', hasMoved: true}
  const mirrors = await mirrorsOf(mantic, {own: {ubuntu: own}})
  assert.deepEqual(mirrors['mantic'], [own, 'http://old-releases.ubuntu.com/ubuntu'])
})
