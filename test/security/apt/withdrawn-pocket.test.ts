import assert from 'node:assert/strict'
import {rm} from 'node:fs/promises'
import {test} from 'node:test'
import {planPackages} from '../../../src/apt/plan.js'
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
      new RegExp(`no longer has a Release of ${suite}: it had one of .* before\\.$`),
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

for (const [distribution, suite, request] of [
  ['debian', 'trixie-security', TRIXIE],
  ['ubuntu', 'noble-security', NOBLE],
] as const) {
  test(`${suite}, never seen at any mirror, is not left out either`, async (t) => {
    const {archive, notices, refuses} = await givenVictim(t, distribution)
    archive.withdraw('security')
    await refuses('ENVS_POCKET_MISSING', new RegExp(`^No mirror has the security updates of ${suite}: `))
    assert.deepEqual(notices, [])
  })

  test(`${suite} may be missing where that is asked for, and that is said`, async (t) => {
    const {archive, context, notices} = await givenVictim(t, distribution, {allowExpired: true})
    archive.withdraw('security')
    const {pockets} = await planPackages(request, context)
    assert.equal(pockets.length, 2)
    assert.deepEqual(
      notices.map((notice) => notice.kind === 'pocket-missing' && notice.suite),
      [suite],
    )
  })
}
