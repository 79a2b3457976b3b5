import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {CellResult} from '../../../matrix/services/cell.js'
import {formatRows, parseRows, renderServices, replaceRows, rowsOf} from '../../../matrix/services/table.js'

const RESULT: CellResult = {
  image: '/trixie.tar.gz',
  release: 'trixie',
  identity: 'mapped',
  init: 'systemd',
  whole: 'running',
  bootMs: 8400,
  answers: [
    {package: 'cron', result: 'answered', state: ''},
    {package: 'redis-server', result: 'silent', state: 'ActiveState=failed'},
    {package: 'caddy', result: 'absent', state: ''},
  ],
}
const PLACE = {groups: 'make-believe', date: '2026-11-29'}

test('a row says what was seen of the whole and of each package', () => {
  const rows = rowsOf(RESULT, PLACE)
  assert.deepEqual(
    rows.map(({init, what, result}) => [init, what, result]),
    [
      ['systemd, make-believe', 'the whole', 'running, 8 s'],
      ['systemd, make-believe', 'cron', 'yes'],
      ['systemd, make-believe', 'redis-server', 'no (ActiveState=failed)'],
      ['systemd, make-believe', 'caddy', '-'],
    ],
  )
  assert.deepEqual(parseRows(formatRows(rows)), rows)
})

test('the rows of a new run replace those of the same environment alone', () => {
  const former = rowsOf(RESULT, PLACE)
  const other = rowsOf({...RESULT, identity: 'emulated'}, PLACE)
  const fresh = rowsOf({...RESULT, whole: 'degraded'}, {...PLACE, date: '2026-11-30'})
  const kept = replaceRows([...former, ...other], fresh)
  assert.equal(kept.length, former.length + other.length)
  assert.deepEqual(kept.slice(-fresh.length), fresh)
  assert.deepEqual(kept.slice(0, other.length), other)
})

test('a release has a table with a column for each kind of environment, and a line for each package in their order', () => {
  const rows = [...rowsOf(RESULT, PLACE), ...rowsOf({...RESULT, init: 'services'}, PLACE)]
  assert.deepEqual(renderServices(rows).split('\n').slice(0, 7), [
    '### trixie',
    '',
    '|  | services, mapped | systemd, make-believe, mapped |',
    '| --- | --- | --- |',
    '| the whole | running, 8 s | running, 8 s |',
    '| redis-server | no (ActiveState=failed) | no (ActiveState=failed) |',
    '| cron | yes | yes |',
  ])
})

test('a damaged line is refused by name', () => {
  assert.throws(() => parseRows('release\ntrixie\tmapped\n'), {
    message: 'a line with 2 fields: trixie\tmapped',
  })
})
