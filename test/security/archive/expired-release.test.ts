import assert from 'node:assert/strict'
import {test} from 'node:test'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

const DAY_MS = 86_400_000
const ago = (days: number) => new Date(Date.now() - days * DAY_MS)

test('a Release whose time is over is refused', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  await archive.publish('security', {packages: [], date: ago(9)})
  await refuses(
    'ENVS_RELEASE_EXPIRED',
    /^The Release of trixie-security at .*\/debian-security expired on 20/,
  )
})

test('allowExpired takes it, and says so', async (t) => {
  const {archive, plan, notices} = await givenVictim(t, 'debian', {allowExpired: true})
  await archive.publish('security', {packages: [], date: ago(9)})
  const {pockets} = await plan()
  const [, , security] = pockets
  assert.deepEqual(notices, [
    {
      kind: 'release-expired',
      suite: 'trixie-security',
      mirror: archive.mirrors.debianSecurity,
      validUntil: security?.validUntil,
    },
  ])
})

test('a Release from days to come is refused', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, date: ago(-2)})
  await refuses('ENVS_RELEASE_FROM_FUTURE', /the clock of this host says/)
})

test('one of hours to come is not: clocks differ', async (t) => {
  const {archive, plan} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, date: ago(-0.5)})
  assert.equal((await plan()).packages.length, 2)
})

test('a copy that was kept expires as well, when the mirror is out of reach', async (t) => {
  const {archive, context, plan} = await givenVictim(t)
  await plan()
  archive.cut()
  Object.assign(context, {now: ago(-8)})
  await assert.rejects(plan(), {exitCode: 6, code: 'ENVS_RELEASE_EXPIRED'})
})
