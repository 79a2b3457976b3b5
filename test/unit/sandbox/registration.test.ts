import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {DEB_ARCHITECTURES} from '../../../src/host/machine/arch.js'
import {programHead, registration} from '../../../src/sandbox/binfmt.js'

/** The machine's own table, as distributions' packages of QEMU fill it. */
for (const [architecture, magic, mask] of [
  ['arm64', '7f454c460201010000000000000000000200b700', 'ffffffffffffff00fffffffffffffffffeffffff'],
  ['s390x', '7f454c4602020100000000000000000000020016', 'ffffffffffffff00fffffffffffffffffffeffff'],
  ['armhf', '7f454c4601010100000000000000000002002800', 'ffffffffffffff00fffffffffffffffffeffffff'],
] as const) {
  test(`programs of ${architecture} are told by their first bytes`, () => {
    const head = programHead(architecture)
    assert.equal(head.magic.toString('hex'), magic)
    assert.equal(head.mask.toString('hex'), mask)
  })
}

test('a program of this host is told to be of its architecture, and of no other', async () => {
  const own = (await readFile(process.execPath)).subarray(0, 20)
  const fitting = DEB_ARCHITECTURES.filter((architecture) => {
    const {magic, mask} = programHead(architecture)
    return magic.every((byte, at) => (byte & (mask[at] ?? 0)) === ((own[at] ?? 0) & (mask[at] ?? 0)))
  })
  assert.deepEqual(fitting, [openHost().architecture])
})

test('the interpreter is opened at once, and keeps the names and rights of what it runs', () => {
  const text = registration('arm64', '/opt/qemu-aarch64')
  assert.match(
    text,
    /^:qemu-aarch64:M::(?:\\x[0-9a-f]{2}){20}:(?:\\x[0-9a-f]{2}){20}:\/opt\/qemu-aarch64:POCF$/,
  )
})

test('a version of Debian may be in the path of the interpreter', () => {
  const path = '/home/me/tools/qemu/1:10.0/qemu-aarch64'
  assert.equal(registration('arm64', path).split('|').at(-2), path)
})

for (const [what, path] of [
  ['with a line end', '/home/a\nb/qemu-aarch64'],
  ['with all that could part it', '/home/:|!/qemu-aarch64'],
  ['that is longer than the kernel reads', `/home/${'x'.repeat(2000)}/qemu-aarch64`],
] as const) {
  test(`a path ${what} is refused`, () => {
    assert.throws(() => registration('arm64', path), /can't be registered/)
  })
}
