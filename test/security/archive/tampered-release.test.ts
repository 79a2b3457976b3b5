import assert from 'node:assert/strict'
import {test} from 'node:test'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

const PATH = 'debian/dists/trixie/InRelease'

test('a Release that was changed after it was signed is refused', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  const text = archive.files.get(PATH)?.toString('latin1') ?? ''
  const changed = text.replace(/ [0-9a-f]{64} /, ` ${'0'.repeat(64)} `)
  assert.notEqual(changed, text)
  archive.files.set(PATH, Buffer.from(changed, 'latin1'))
  await refuses('ENVS_BAD_SIGNATURE', /does not match its content/)
})

test('text beside what is signed is refused, before it and after it', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  const signed = archive.files.get(PATH) ?? Buffer.alloc(0)
  for (const bytes of [
    Buffer.concat([Buffer.from('Codename: trixie\n\n'), signed]),
    Buffer.concat([signed, signed]),
  ]) {
    archive.files.set(PATH, bytes)
    await refuses('ENVS_CLEARSIGNED_FRAME', /must be one clearsigned message and nothing else/)
  }
})

test('a signature that is behind its Release for a moment is asked for again', async (t) => {
  const {archive, plan} = await givenVictim(t)
  archive.withdraw('release')
  await archive.publish('release', {packages: [], signature: 'beside'})
  const older = archive.files.get('debian/dists/trixie/Release.gpg') ?? Buffer.alloc(0)
  await archive.publish('release', {packages: SYSTEM, signature: 'beside'})
  archive.answerNext('debian/dists/trixie/Release.gpg', (_, response) => response.end(older))
  assert.equal((await plan()).packages.length, 2)
})

test('a signature of another Release is refused for good', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  archive.withdraw('release')
  await archive.publish('release', {packages: [], signature: 'beside'})
  const other = archive.files.get('debian/dists/trixie/Release.gpg') ?? Buffer.alloc(0)
  await archive.publish('release', {packages: SYSTEM, signature: 'beside'})
  archive.files.set('debian/dists/trixie/Release.gpg', other)
  await refuses('ENVS_BAD_SIGNATURE', /dists\/trixie\/Release/)
})

for (const [what, release, message] of [
  ['no date', {Date: 'yesterday'}, /it has no Date/],
  ['a Valid-Until that is none', {'Valid-Until': 'always'}, /it has no Valid-Until/],
] as const) {
  test(`a signed Release with ${what} is refused`, async (t) => {
    const {archive, refuses} = await givenVictim(t)
    await archive.publish('release', {packages: SYSTEM, release})
    await refuses('ENVS_RELEASE_MALFORMED', message)
  })
}
