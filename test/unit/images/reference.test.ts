import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readCatalogue} from '../../../src/images/catalog/catalog.js'
import {environmentNameFor, parseImageReference} from '../../../src/images/reference.js'

const around = {
  workingFolder: '/home/me/work',
  architecture: 'amd64',
  now: new Date('2026-11-24T00:00:00Z'),
  catalogue: await readCatalogue([]),
} as const
const parse = (text: string) => parseImageReference(text, around)

for (const [text, path] of [
  ['./rootfs.tar.gz', '/home/me/work/rootfs.tar.gz'],
  ['../rootfs.tar', '/home/me/rootfs.tar'],
  ['/srv//images/rootfs.tar.xz', '/srv/images/rootfs.tar.xz'],
  ['images/rootfs.tar.xz', '/home/me/work/images/rootfs.tar.xz'],
  ['./ubuntu:focal', '/home/me/work/ubuntu:focal'],
  ['.', '/home/me/work'],
  ['..', '/home/me'],
] as const) {
  test(`${text} is a path`, async () => {
    assert.deepEqual(await parse(text), {kind: 'file', path})
  })
}

for (const text of ['focal', '20.04', 'ubuntu:focal', 'ubuntu:focal/cloud']) {
  test(`${text} is a name, parsed, whatever files there are`, async () => {
    const reference = await parse(text)
    assert(reference.kind === 'name')
    assert.equal(reference.text, text)
    const {distribution, suite, version} = reference.query
    assert.deepEqual([distribution, suite, version], ['ubuntu', 'focal', '20.04'])
  })
}

test('- is standard input', async () => {
  assert.deepEqual(await parse('-'), {kind: 'standard-input'})
})

for (const text of ['http://host/rootfs.tar.gz', 'HTTPS://host:8443/a?b=c']) {
  test(`${text} is a URL`, async () => {
    assert.deepEqual(await parse(text), {kind: 'url', url: new URL(text)})
  })
}

test('the fragment of a URL is no part of what is fetched', async () => {
  const reference = await parse('https://host/a#b')
  assert.equal(reference.kind === 'url' ? reference.url.href : undefined, 'https://host/a')
})

for (const [text, message] of [
  ['', 'The name of the image is empty.'],
  ['ftp://host/rootfs.tar', 'envs does not support ftp: URLs.'],
  ['file:///srv/rootfs.tar', 'envs does not take file: URLs.'],
  ['https://user:secret@[::/x', 'The https: URL of the image is malformed.'],
] as const) {
  test(`${JSON.stringify(text)} is an error of usage that repeats no secret`, async () => {
    await assert.rejects(parse(text), {name: 'UsageError', message})
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
  test(`${text} makes ${name === undefined ? 'no environment name' : `the environment name ${name}`}`, async () => {
    assert.equal(environmentNameFor(await parse(text)), name)
  })
}

for (const name of ['rootfs.tar.gz', 'rootfs.tar', 'rootfs.TXZ', 'rootfs.zst']) {
  test(`${name} is no image's name, and ends as archives do: how a file is given is told`, async () => {
    await assert.rejects(parse(name), {
      name: 'UnknownImageError',
      suggestions: [`To use a file, give its path, such as ./${name}; there is no such file here.`],
    })
  })
}
