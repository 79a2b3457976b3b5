import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readTryWords} from '../../../../src/environments/try/try.js'
import {parseImageReference} from '../../../../src/images/reference.js'

const HOST = {
  architecture: 'amd64',
  now: () => new Date('2026-01-02T12:00:00.000Z'),
  workingFolder: '/home/me',
} as const

for (const [words, image, packages] of [
  [[], undefined, []],
  [['focal'], 'focal', []],
  [['24.04', 'nginx', 'curl'], '24.04', ['nginx', 'curl']],
  [['debian:trixie', 'jq'], 'debian:trixie', ['jq']],
  [['lxc:alpine/3.22'], 'lxc:alpine/3.22', []],
  [['./rootfs.tar', 'jq'], './rootfs.tar', ['jq']],
  [['https://example.org/rootfs.tar'], 'https://example.org/rootfs.tar', []],
  [['nginx', 'focal'], undefined, ['nginx', 'focal']],
  [['libc6:i386'], undefined, ['libc6:i386']],
  [['jq=1.7'], undefined, ['jq=1.7']],
] as const) {
  test(`${JSON.stringify(words)} means ${image ?? 'the default image'} and ${packages.length} packages`, async () => {
    const context = {...HOST, now: HOST.now()}
    const reference = image === undefined ? undefined : await parseImageReference(image, context)
    assert.deepEqual(await readTryWords(words, HOST), {image: reference, packages})
  })
}

test('an image of a publisher that has none of that name is no package', async () => {
  await assert.rejects(readTryWords(['debian:nothing', 'jq'], HOST), {name: 'UnknownImageError'})
})
