import assert from 'node:assert/strict'
import {rm} from 'node:fs/promises'
import {test} from 'node:test'
import {planPackages} from '../../../src/archive/plan-packages.js'
import {NOBLE, TRIXIE} from '../../support/archive-context.js'
import {givenVictim} from '../../support/refused-archive.js'

for (const [distribution, suite] of [
  ['debian', 'trixie-security'],
  ['ubuntu', 'noble-security'],
] as const) {
  test(`${suite}, once seen at a mirror and then said not to be there, is not left out`, async (t) => {
    const {archive, context, notices, plan, refuses} = await givenVictim(t, distribution)
    await plan()
    await rm(context.paths.cache, {recursive: true})
    archive.withdraw('security')
    await refuses(
      'ENVS_POCKET_WITHDRAWN',
      new RegExp(`has no Release of ${suite} any more; one of .* was there before\\.$`),
    )
    assert.deepEqual(notices, [])
  })
}

test('of a release that moved it may have gone', async (t) => {
  const {archive, context, plan} = await givenVictim(t)
  await plan()
  archive.withdraw('security')
  // The publisher's own server is out of reach for a test: a proxy stands for it.
  const environment = {http_proxy: archive.server.origin.href, no_proxy: archive.server.origin.host}
  const release = {...TRIXIE.release, hasMoved: true}
  const {pockets} = await planPackages({...TRIXIE, release}, {...context, environment})
  assert.deepEqual(
    pockets.map(({name}) => name),
    ['release', 'updates'],
  )
})

test('it may be missing at a mirror where it never was', async (t) => {
  const {archive, context, plan} = await givenVictim(t, 'ubuntu')
  await plan()
  const other = await givenVictim(t, 'ubuntu', {paths: context.paths})
  other.archive.withdraw('security')
  const {pockets} = await planPackages(NOBLE, other.context)
  assert.equal(pockets.length, 2)
  assert.ok(archive.requested().length > 0)
})
