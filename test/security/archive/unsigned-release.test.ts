import {test} from 'node:test'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'
import {makeSigner} from '../../support/signer.js'

test('a Release without any signature is refused, and the mirror is named', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  archive.withdraw('release')
  await archive.publish('release', {packages: SYSTEM, signature: 'none'})
  await refuses(
    'ENVS_RELEASE_UNSIGNED',
    /^The Release of trixie at http:\/\/127\.0\.0\.1:\d+\/debian is not signed/,
  )
})

test('a Release that a stranger signed is refused', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, signer: await makeSigner()})
  await refuses('ENVS_UNKNOWN_SIGNER', /dists\/trixie\/InRelease" is not signed by a trusted key/)
})

test('a stranger who signs beside the Release is refused', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  archive.withdraw('release')
  await archive.publish('release', {packages: SYSTEM, signer: await makeSigner(), signature: 'beside'})
  await refuses('ENVS_UNKNOWN_SIGNER', /dists\/trixie\/Release" is not signed by a trusted key/)
})
