import assert from 'node:assert/strict'
import {test} from 'node:test'
import {formatRelativeTime} from '../../../src/cli/format.js'

const NOW = new Date('2026-08-01T12:00:00Z')

for (const [then, shown] of [
  ['2026-08-01T12:00:00Z', 'just now'],
  ['2026-08-01T11:59:01Z', 'just now'],
  ['2026-08-01T11:59:00Z', '1 minute ago'],
  ['2026-08-01T11:57:30Z', '2 minutes ago'],
  ['2026-08-01T11:00:00Z', '1 hour ago'],
  ['2026-07-31T11:00:00Z', '1 day ago'],
  ['2026-07-18T12:00:00Z', '2 weeks ago'],
  ['2026-06-01T12:00:00Z', '2 months ago'],
  ['2024-07-01T12:00:00Z', '2 years ago'],
  ['2026-08-01T12:05:00Z', 'just now'],
] as const) {
  test(`shows ${then} as ${shown}`, () => {
    assert.equal(formatRelativeTime(new Date(then), NOW), shown)
  })
}
