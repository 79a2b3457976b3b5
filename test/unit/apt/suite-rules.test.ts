import assert from 'node:assert/strict'
import {test} from 'node:test'
import {rulesFor} from '../../../src/apt/pockets.js'

const LINKS = ['bin', 'sbin', 'lib', 'lib64']

for (const [distribution, codename, version, expected] of [
  ['debian', 'stretch', '9', {extras: ['apt'], excluded: [], rootLinks: []}],
  ['debian', 'buster', '10', {extras: ['apt'], excluded: [], rootLinks: LINKS}],
  ['debian', 'bullseye', '11', {extras: ['apt'], excluded: [], rootLinks: LINKS}],
  ['debian', 'bookworm', '12', {extras: ['apt', 'usr-is-merged'], excluded: ['usrmerge'], rootLinks: LINKS}],
  ['debian', 'trixie', '13', {extras: ['apt'], excluded: ['usrmerge'], rootLinks: []}],
  ['debian', 'sid', undefined, {extras: ['apt'], excluded: ['usrmerge'], rootLinks: []}],
  ['ubuntu', 'bionic', '18.04', {extras: ['apt'], excluded: [], rootLinks: []}],
  ['ubuntu', 'focal', '20.04', {extras: ['apt'], excluded: [], rootLinks: LINKS}],
  ['ubuntu', 'jammy', '22.04', {extras: ['apt'], excluded: ['usrmerge'], rootLinks: LINKS}],
  ['ubuntu', 'resolute', '26.04', {extras: ['apt'], excluded: ['usrmerge'], rootLinks: LINKS}],
] as const) {
  test(`the rules of ${codename}`, () => {
    const release = {distribution, codename, version, hasMoved: false}
    assert.deepEqual(
      rulesFor(release, {architecture: 'amd64', variant: 'minbase', isSecure: false}),
      expected,
    )
  })
}

test('on arm64 the loader is not in lib64', () => {
  const release = {distribution: 'debian', codename: 'bookworm', version: '12', hasMoved: false} as const
  const {rootLinks} = rulesFor(release, {architecture: 'arm64', variant: 'minbase', isSecure: false})
  assert.deepEqual(rootLinks, ['bin', 'sbin', 'lib'])
})

test('a mirror by https needs certificates, and before buster a method of its own', () => {
  const rules = (codename: string, version: string) =>
    rulesFor(
      {distribution: 'debian', codename, version, hasMoved: false},
      {architecture: 'amd64', variant: 'minbase', isSecure: true},
    ).extras
  assert.deepEqual(rules('trixie', '13'), ['apt', 'ca-certificates'])
  assert.deepEqual(rules('stretch', '9'), ['apt', 'ca-certificates', 'apt-transport-https'])
})
