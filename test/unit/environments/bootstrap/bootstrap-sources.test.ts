import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {PackagePlan, UsedPocket} from '../../../../src/apt/context.js'
import {aptSources} from '../../../../src/environments/bootstrap/request.js'

const OFFERED = ['main', 'restricted', 'universe', 'multiverse', 'contrib', 'other']

function pocket(suite: string, mirror: string): UsedPocket {
  return {
    name: 'release',
    suite,
    mirror,
    components: ['main'],
    offered: OFFERED,
    inReleaseSha256: 'a'.repeat(64) as UsedPocket['inReleaseSha256'],
    date: new Date(0),
    validUntil: undefined,
    signer: {fingerprint: '', name: ''},
  }
}

const PLAN = {
  release: {distribution: 'debian', codename: 'trixie', version: '13', hasMoved: false},
  pockets: [
    pocket('trixie', 'http://mirror.example/debian'),
    pocket('trixie-updates', 'http://mirror.example/debian'),
    pocket('trixie-security', 'http://mirror.example/security'),
  ],
  packages: [{name: 'debian-archive-keyring'}] as unknown as PackagePlan['packages'],
} as const

test('pockets of one mirror share an entry, signed by the keys of the tree', () => {
  assert.deepEqual(aptSources(PLAN, {ignoresExpiry: false, components: ['main', 'contrib']}), {
    path: 'etc/apt/sources.list.d/debian.sources',
    text: `Types: deb
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: trixie-security
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
  })
})

test('a mirror that stands still does so for APT too, and keys that are not there are not named', () => {
  const {text} = aptSources({...PLAN, packages: []}, {ignoresExpiry: true, components: []})
  assert.match(text, /^Check-Valid-Until: no$/m)
  assert.doesNotMatch(text, /Signed-By/)
})

test('neither the user nor the password of a mirror is in the sources, nor what stands for them', () => {
  const pockets = PLAN.pockets.map((pocket) => ({...pocket, mirror: 'http://***:***@mirror.example/debian'}))
  const {text} = aptSources({...PLAN, pockets}, {ignoresExpiry: false, components: []})
  assert.match(text, /^URIs: http:\/\/mirror\.example\/debian$/m)
  assert.doesNotMatch(text, /\*|@/)
})

function ubuntu(codename: string, version: string) {
  return {
    release: {distribution: 'ubuntu', codename, version, hasMoved: false},
    pockets: ['', '-updates'].map((pocketName) =>
      pocket(`${codename}${pocketName}`, 'http://mirror.example/ubuntu'),
    ),
    packages: [{name: 'ubuntu-keyring'}] as unknown as PackagePlan['packages'],
  } as const
}

const USUAL = {ignoresExpiry: false, components: []} as const

for (const [codename, version] of [
  ['focal', '20.04'],
  ['jammy', '22.04'],
  ['mantic', '23.10'],
] as const) {
  test(`${codename} has the four components in sources.list, and its source packages commented out`, () => {
    assert.deepEqual(aptSources(ubuntu(codename, version), USUAL), {
      path: 'etc/apt/sources.list',
      text: `deb http://mirror.example/ubuntu/ ${codename} main restricted universe multiverse
# deb-src http://mirror.example/ubuntu/ ${codename} main restricted universe multiverse
deb http://mirror.example/ubuntu/ ${codename}-updates main restricted universe multiverse
# deb-src http://mirror.example/ubuntu/ ${codename}-updates main restricted universe multiverse
`,
    })
  })
}

test('noble has the four components in the deb822 format, which says how to add source packages', () => {
  assert.deepEqual(aptSources(ubuntu('noble', '24.04'), USUAL), {
    path: 'etc/apt/sources.list.d/ubuntu.sources',
    text: `# For source packages: Types: deb deb-src
Types: deb
URIs: http://mirror.example/ubuntu/
Suites: noble noble-updates
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
`,
  })
})

test('the sources name the components that the user named, and no other', () => {
  const {text} = aptSources(ubuntu('noble', '24.04'), {
    ignoresExpiry: false,
    components: ['main', 'universe'],
  })
  assert.match(text, /^Components: main universe$/m)
})

test('a component that a pocket does not have is not named for that pocket', () => {
  const {pockets, ...plan} = ubuntu('focal', '20.04')
  const fewer = pockets.map((each, index) => (index === 0 ? each : {...each, offered: ['main', 'universe']}))
  const {text} = aptSources({...plan, pockets: fewer}, USUAL)
  assert.match(text, /^deb \S+ focal main restricted universe multiverse$/m)
  assert.match(text, /^deb \S+ focal-updates main universe$/m)
})

test('an expired mirror is accepted in sources.list too', () => {
  const {text} = aptSources(ubuntu('focal', '20.04'), {ignoresExpiry: true, components: []})
  assert.match(text, /^deb \[check-valid-until=no\] http:\S+ focal main /m)
})
