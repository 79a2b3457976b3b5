import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentNameFor, hasArchiveSuffix, parseImageReference} from '../../../src/images/reference.js'

const workingFolder = '/home/me/work'

for (const [text, path] of [
  ['./rootfs.tar.gz', '/home/me/work/rootfs.tar.gz'],
  ['../rootfs.tar', '/home/me/rootfs.tar'],
  ['/srv//images/rootfs.tar.xz', '/srv/images/rootfs.tar.xz'],
  ['images/rootfs.tar.xz', '/home/me/work/images/rootfs.tar.xz'],
  ['./ubuntu:focal', '/home/me/work/ubuntu:focal'],
  ['.', '/home/me/work'],
  ['..', '/home/me'],
] as const) {
  test(`${text} is a path`, () => {
    assert.deepEqual(parseImageReference(text, {workingFolder}), {kind: 'file', path})
  })
}

for (const text of ['focal', '20.04', 'ubuntu:focal', 'ubuntu:focal/cloud', 'rootfs.tar.gz']) {
  test(`${text} is a name, whatever files there are`, () => {
    assert.deepEqual(parseImageReference(text, {workingFolder}), {
      kind: 'name',
      text,
      sameNamedFile: `/home/me/work/${text}`,
    })
  })
}

test('- is standard input', () => {
  assert.deepEqual(parseImageReference('-', {workingFolder}), {kind: 'standard-input'})
})

for (const text of ['http://host/rootfs.tar.gz', 'HTTPS://host:8443/a?b=c']) {
  test(`${text} is a URL`, () => {
    assert.deepEqual(parseImageReference(text, {workingFolder}), {kind: 'url', url: new URL(text)})
  })
}

test('the fragment of a URL is no part of what is fetched', () => {
  const reference = parseImageReference('https://host/a#b', {workingFolder})
  assert.equal(reference.kind === 'url' ? reference.url.href : undefined, 'https://host/a')
})

for (const [text, message] of [
  ['', 'The name of the image is empty.'],
  ['ftp://host/rootfs.tar', 'envs does not support ftp: URLs.'],
  ['file:///srv/rootfs.tar', 'envs does not take file: URLs.'],
  ['https://user:secret@[::/x', 'The https: URL of the image is malformed.'],
] as const) {
  test(`${JSON.stringify(text)} is an error of usage that repeats no secret`, () => {
    assert.throws(() => parseImageReference(text, {workingFolder}), {name: 'UsageError', message})
  })
}

for (const [text, name] of [
  ['./rootfs.tar.gz', 'rootfs'],
  ['./Rootfs.TAR.XZ', 'rootfs'],
  ['./play.tgz', 'play'],
  ['./ubuntu-base-20.04.5-base-amd64.tar.gz', 'ubuntu-base-20.04.5-base-amd64'],
  ['./my root (old).tar', 'my-root-old'],
  ['./_hidden.tar', 'hidden'],
  ['./data.bin', 'data.bin'],
  [`./${'x'.repeat(80)}.tar`, 'x'.repeat(63)],
  [`./${'x'.repeat(62)}-y.tar`, 'x'.repeat(62)],
  ['https://host/a/My%20Image.tar.zst?x=1', 'my-image'],
  ['https://host/a/%ff.tar', 'ff'],
  ['focal', 'focal'],
  ['ubuntu:focal/cloud', 'focal-cloud'],
  ['debian:13', 'debian-13'],
  ['lxc:alpine/3.22', 'alpine-3.22'],
  ['./.tar.gz', undefined],
  ['./ж.tar', undefined],
  ['https://host/', undefined],
  ['-', undefined],
] as const) {
  test(`${text} makes ${name === undefined ? 'no environment name' : `the environment name ${name}`}`, () => {
    assert.equal(environmentNameFor(parseImageReference(text, {workingFolder})), name)
  })
}

for (const [name, expected] of [
  ['rootfs.tar.gz', true],
  ['rootfs.tar', true],
  ['rootfs.TXZ', true],
  ['rootfs.zst', true],
  ['focal', false],
  ['20.04', false],
  ['tar', false],
] as const) {
  test(`${name} ${expected ? 'ends' : 'does not end'} as archives do`, () => {
    assert.equal(hasArchiveSuffix(name), expected)
  })
}
