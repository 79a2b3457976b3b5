import assert from 'node:assert/strict'
import {test} from 'node:test'
import {movedSuites, readCatalogue} from '../../../../src/images/catalog/catalog.js'

for (const [what, codename, now, expected] of [
  ['a short-lived release on its last day', 'questing', '2026-07-09T23:59:59Z', false],
  ['a short-lived release on the day after', 'questing', '2026-07-10T00:00:00Z', true],
  ['a long-term release past its standard support', 'focal', '2026-11-24T00:00:00Z', false],
  ['a long-term release past its ESM, with legacy support', 'xenial', '2026-11-24T00:00:00Z', false],
  ['a long-term release just past all support', 'trusty', '2026-11-24T00:00:00Z', false],
  ['a long-term release two years past its ESM', 'precise', '2021-06-01T00:00:00Z', true],
  ['a long-term release that never had an ESM', 'lucid', '2026-11-24T00:00:00Z', true],
  ['a release to come', 'stonking', '2026-01-01T00:00:00Z', false],
  ['a release of Debian', 'buster', '2036-01-01T00:00:00Z', false],
] as const) {
  test(`${what} is ${expected ? '' : 'not '}among those that moved`, async () => {
    const catalogue = await readCatalogue([])
    assert.ok(catalogue.releases.some((release) => release.codename === codename))
    assert.equal(movedSuites(catalogue, new Date(now)).includes(codename), expected)
  })
}
