import assert from 'node:assert/strict'
import {test} from 'node:test'
import {DEFAULT_ARCHIVE, planBootstrap} from '../../../../src/environments/bootstrap/request.js'
import type {ImageQuery} from '../../../../src/images/name.js'

const NOW = new Date('2026-11-26T00:00:00Z')

function query(distribution: string, suite: string): ImageQuery {
  return {
    ...{distribution, suite, version: undefined, variant: 'archive', source: undefined},
    architecture: 'amd64',
  }
}

test('what is usual is a minimal system of the release', async () => {
  const {name, archive, allowExpired} = await planBootstrap(query('debian', 'trixie'), DEFAULT_ARCHIVE, NOW)
  assert.equal(name, 'debian:trixie/archive')
  assert.deepEqual(
    [archive.variant, archive.include, archive.components, allowExpired],
    ['minbase', [], [], false],
  )
})

test('names are parted by commas, and each counts once, in order', async () => {
  const wish = {...DEFAULT_ARCHIVE, include: ['jq,curl', ' curl , bash'], components: ['main,contrib']}
  const {archive} = await planBootstrap(query('debian', 'trixie'), wish, NOW)
  assert.deepEqual(
    [archive.include, archive.components],
    [
      ['bash', 'curl', 'jq'],
      ['contrib', 'main'],
    ],
  )
})

test('what can be no name of a package is refused', async () => {
  const wish = {...DEFAULT_ARCHIVE, include: ['jq;reboot']}
  await assert.rejects(planBootstrap(query('debian', 'trixie'), wish, NOW), {
    code: 'ENVS_USAGE',
    message: '--include: "jq;reboot" is not a valid name.',
  })
})

for (const [suite, hasMoved] of [
  ['buster', true],
  ['bullseye', false],
  ['trixie', false],
  ['sid', false],
] as const) {
  test(`${suite} ${hasMoved ? 'has moved to the archive of old releases' : 'is where it was'}`, async () => {
    const {archive} = await planBootstrap(query('debian', suite), DEFAULT_ARCHIVE, NOW)
    assert.equal(archive.release.hasMoved, hasMoved)
  })
}
