import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {PackagePlan, UsedPocket} from '../../../../src/apt/context.js'
import {aptSources} from '../../../../src/environments/bootstrap/request.js'

function pocket(suite: string, mirror: string): UsedPocket {
  return {
    name: 'release',
    suite,
    mirror,
    components: ['main', 'contrib'],
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
  assert.deepEqual(aptSources(PLAN, {ignoresExpiry: false}), {
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
  const {text} = aptSources({...PLAN, packages: []}, {ignoresExpiry: true})
  assert.match(text, /^Check-Valid-Until: no$/m)
  assert.doesNotMatch(text, /Signed-By/)
})

test('neither the user nor the password of a mirror is in the sources, nor what stands for them', () => {
  const pockets = PLAN.pockets.map((pocket) => ({...pocket, mirror: 'http://***:***@mirror.example/debian'}))
  const {text} = aptSources({...PLAN, pockets}, {ignoresExpiry: false})
  assert.match(text, /^URIs: http:\/\/mirror\.example\/debian$/m)
  assert.doesNotMatch(text, /\*|@/)
})
