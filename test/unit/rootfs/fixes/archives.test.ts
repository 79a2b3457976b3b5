import assert from 'node:assert/strict'
import {test} from 'node:test'
import {archivedSuites, NO_ARCHIVES, replacementFor} from '../../../../src/rootfs/fixes/apt-sources.js'

const DEBIAN = 'debian.org'

const MIRRORS = {
  ubuntuMirror: 'https://mirror.example/ubuntu',
  debianMirror: 'https://mirror.example/debian',
  movedSuites: ['kinetic'],
}
const OLD = 'http://old-releases.ubuntu.com/ubuntu'
const source = (uri: string, ...suites: string[]) => ({uri, suites, start: 0, end: uri.length})

for (const [uri, suite, expected] of [
  ['http://archive.ubuntu.com/ubuntu', 'noble', MIRRORS.ubuntuMirror],
  ['http://archive.ubuntu.com/ubuntu/', 'noble', `${MIRRORS.ubuntuMirror}/`],
  ['https://archive.ubuntu.com/ubuntu', 'noble', MIRRORS.ubuntuMirror],
  ['http://de.archive.ubuntu.com/ubuntu', 'noble', MIRRORS.ubuntuMirror],
  ['http://eu-west-1.ec2.archive.ubuntu.com/ubuntu', 'noble', MIRRORS.ubuntuMirror],
  ['http://security.ubuntu.com/ubuntu', 'noble-security', MIRRORS.ubuntuMirror],
  ['http://ports.ubuntu.com/ubuntu-ports', 'noble', MIRRORS.ubuntuMirror],
  ['http://archive.ubuntu.com/ubuntu', 'kinetic', OLD],
  ['http://archive.ubuntu.com/ubuntu', 'kinetic-updates', OLD],
  ['http://security.ubuntu.com/ubuntu/', 'kinetic-security', `${OLD}/`],
  ['http://ports.ubuntu.com/ubuntu-ports/', 'kinetic', `${OLD}/`],
  [`http://deb.${DEBIAN}/debian`, 'trixie', MIRRORS.debianMirror],
  ['http://ftp.de.debian.org/debian/', 'trixie', `${MIRRORS.debianMirror}/`],
  ['http://httpredir.debian.org/debian', 'trixie', MIRRORS.debianMirror],
  [`http://deb.${DEBIAN}/debian-security`, 'trixie-security', undefined],
  ['http://security.debian.org/debian-security', 'trixie-security', undefined],
  ['http://archive.debian.org/debian', 'buster', undefined],
  [OLD, 'kinetic', undefined],
  [`${MIRRORS.ubuntuMirror}/`, 'kinetic', undefined],
  ['http://ppa.launchpadcontent.net/x/y/ubuntu', 'kinetic', undefined],
  ['http://archive.canonical.com/ubuntu', 'noble', undefined],
  ['https://esm.ubuntu.com/infra/ubuntu', 'noble', undefined],
  ['http://notarchive.ubuntu.com/ubuntu', 'noble', undefined],
  ['http://archive.ubuntu.com.example/ubuntu', 'noble', undefined],
  ['http://archive.ubuntu.com/other', 'noble', undefined],
  ['http://archive.ubuntu.com:8080/ubuntu', 'noble', undefined],
  ['http://me@archive.ubuntu.com/ubuntu', 'noble', undefined],
  ['mirror://archive.ubuntu.com/ubuntu', 'noble', undefined],
  ['cdrom:[Ubuntu]/', 'noble', undefined],
  ['http://', 'noble', undefined],
] as const) {
  test(`with mirrors set, ${suite} from ${uri} comes from ${expected ?? 'there still'}`, () => {
    assert.equal(replacementFor(source(uri, suite), MIRRORS), expected)
  })
}

test('without settings only what moved is sent elsewhere', () => {
  const archives = {...NO_ARCHIVES, movedSuites: ['kinetic']}
  assert.equal(replacementFor(source('http://archive.ubuntu.com/ubuntu', 'kinetic'), archives), OLD)
  assert.equal(replacementFor(source('http://archive.ubuntu.com/ubuntu', 'noble'), archives), undefined)
  assert.equal(replacementFor(source(`http://deb.${DEBIAN}/debian`, 'trixie'), archives), undefined)
})

test('an entry with a suite that is still there stays with the archive', () => {
  const mixed = source('http://archive.ubuntu.com/ubuntu', 'kinetic', 'noble')
  assert.equal(replacementFor(mixed, {...NO_ARCHIVES, movedSuites: ['kinetic']}), undefined)
})

test('a mirror that is one of the publisher’s own is written once', () => {
  const archives = {...NO_ARCHIVES, ubuntuMirror: 'http://de.archive.ubuntu.com/ubuntu'}
  const once = replacementFor(source('http://archive.ubuntu.com/ubuntu/', 'noble'), archives)
  assert.equal(once, 'http://de.archive.ubuntu.com/ubuntu/')
  assert.equal(replacementFor(source(once, 'noble'), archives), undefined)
})

for (const [what, uri, suites, expected] of [
  ['the old releases', `${OLD}/`, ['kinetic', 'kinetic-updates'], ['kinetic', 'kinetic']],
  ['the old releases of a name nobody knows', OLD, ['\u001b[31m'], []],
  ['the archive', 'http://archive.ubuntu.com/ubuntu', ['kinetic'], []],
] as const) {
  test(`archived suites of ${what}`, () => {
    assert.deepEqual(archivedSuites(source(uri, ...suites), MIRRORS), expected)
  })
}
