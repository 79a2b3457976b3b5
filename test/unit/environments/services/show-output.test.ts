import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {parseShownUnits} from '../../../../src/environments/services/show-output.js'

/** What systemctl of Debian trixie printed in a booted environment: test/fixtures/SOURCES.md. */
const TRIXIE = readFileSync(
  new URL('../../../fixtures/systemctl-show/trixie-257.txt', import.meta.url),
  'utf8',
)

const unitsOf = (text: string) => new Map(parseShownUnits(text).map((unit) => [unit.unit, unit]))

test('a running service has its state, its time, its main process and its control group', () => {
  assert.deepEqual(unitsOf(TRIXIE).get('cron.service'), {
    unit: 'cron.service',
    description: 'Regular background program processing daemon',
    state: 'active',
    sub: 'running',
    result: 'success',
    since: new Date('2026-11-29T14:37:15Z'),
    isEnabled: true,
    mainPid: 39,
    isLoaded: true,
    controlGroup: '/system.slice/cron.service',
  })
})

test('properties that stand before the name belong to the same unit', () => {
  const {state, result, mainPid, isEnabled} = unitsOf(TRIXIE).get('broken.service') ?? {}
  assert.deepEqual(
    {state, result, mainPid, isEnabled},
    {
      state: 'failed',
      result: 'exit-code',
      mainPid: null,
      isEnabled: false,
    },
  )
  assert.equal(unitsOf(TRIXIE).get('slow.service')?.state, 'activating')
  assert.equal(unitsOf(TRIXIE).get('memcached.service')?.state, 'inactive')
})

test('a unit that matched twice is there once, and units are sorted', () => {
  const names = parseShownUnits(TRIXIE).map(({unit}) => unit)
  assert.deepEqual(names, [...new Set(names)].sort())
})

test('a unit that systemd does not know is not loaded', () => {
  assert.equal(unitsOf(TRIXIE).get('display-manager.service')?.isLoaded, false)
})

for (const [what, block] of [
  ['an empty answer', ''],
  ['a name with a path', 'Id=../../etc/passwd\nActiveState=active'],
  ['a name with a control character', 'Id=a\x1b[31m.service\nActiveState=active'],
  ['a block without a name', 'ActiveState=active\nMainPID=1'],
  ['lines without =', 'nonsense\n=\n'],
] as const) {
  test(`${what} is no unit`, () => {
    assert.deepEqual(parseShownUnits(block), [])
  })
}

test('values of another form are replaced by those of an unknown state', () => {
  const [unit] = parseShownUnits(
    `Id=x.service\nActiveState=dancing\nMainPID=-5\nStateChangeTimestamp=Sun 2026-99-99 99:99:99 UTC\nDescription=${'d'.repeat(5000)}`,
  )
  assert.deepEqual(
    [unit?.state, unit?.mainPid, unit?.since, unit?.description.length],
    ['inactive', null, null, 300],
  )
})

test('an answer without end is read up to a limit', () => {
  const text = Array.from({length: 10_000}, (_, index) => `Id=u${index}.service`).join('\n\n')
  assert.equal(parseShownUnits(text).length, 2000)
})
