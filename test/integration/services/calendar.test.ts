import assert from 'node:assert/strict'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'

/** A Saturday, 13:46:40. */
const SINCE = '2025-11-29T13:46:40Z'

/** Calls a function of a module of the supervisor for each line, in UTC. */
async function callForLines(module: string, expression: string, lines: readonly string[]): Promise<string[]> {
  const program = `while (<STDIN>) { chomp; print ${expression}, "\\n" }`
  const argv = ['perl', `-I${templatePath('guest/services/units')}`, '-MPOSIX', `-M${module}`, '-e', program]
  const ran = await capture(argv, {
    env: {PATH: process.env['PATH'] ?? '', TZ: 'UTC'},
    input: `${lines.join('\n')}\n`,
    timeout: 10_000,
  })
  assert.equal(ran.status, 0, ran.stderr)
  return ran.stdout.trimEnd().split('\n')
}

test('the next time of an event is that of systemd-analyze calendar', async () => {
  const expected: Readonly<Record<string, string>> = {
    daily: '2025-11-30T00:00:00',
    hourly: '2025-11-29T14:00:00',
    weekly: '2025-12-01T00:00:00',
    monthly: '2025-12-01T00:00:00',
    yearly: '2026-01-01T00:00:00',
    'Mon..Fri 8:00': '2025-12-01T08:00:00',
    'Sat,Sun 6:30 UTC': '2025-11-30T06:30:00',
    Sun: '2025-11-30T00:00:00',
    '*-*-1,15 12:00:00': '2025-12-01T12:00:00',
    '*:0/15': '2025-11-29T14:00:00',
    '*-2-29': '2028-02-29T00:00:00',
    '*-*-* 6,18:00': '2025-11-29T18:00:00',
    '2026-12-24': '2026-12-24T00:00:00',
    '13:46:41': '2025-11-29T13:46:41',
    '2001-01-01': '-',
    'no time': '-',
    '*:0/0': '-',
  }
  const since = Date.parse(SINCE) / 1000
  const seen = await callForLines(
    'Calendar',
    `do { my $at = Calendar::next_time($_, ${since}); defined $at ? strftime('%Y-%m-%dT%H:%M:%S', gmtime $at) : '-' }`,
    Object.keys(expected),
  )
  assert.deepEqual(
    Object.fromEntries(Object.keys(expected).map((key, index) => [key, seen[index]])),
    expected,
  )
})

test('spans of time are those of systemd.time(7)', async () => {
  const expected: Readonly<Record<string, string>> = {
    '5': '5',
    '2min 200ms': '120.2',
    '1h30m': '5400',
    '100us': '0.0001',
    '1 week': '604800',
    infinity: '-',
    soon: '-',
    '5 apples': '-',
  }
  const seen = await callForLines('Text', `Text::seconds($_) // '-'`, Object.keys(expected))
  assert.deepEqual(
    Object.fromEntries(Object.keys(expected).map((key, index) => [key, seen[index]])),
    expected,
  )
})

test('a line is split into words as in unit files', async () => {
  const expected: Readonly<Record<string, string>> = {
    'a  b': 'a|b',
    '"a b" \'c d\'e': 'a b|c de',
    'a\\ b \\x41': 'a\\ b|A',
    '"it\\"s" \'\'': 'it"s|',
    'unclosed "quote here': 'unclosed|quote here',
  }
  const seen = await callForLines('Text', `join('|', Text::words($_))`, Object.keys(expected))
  assert.deepEqual(
    Object.fromEntries(Object.keys(expected).map((key, index) => [key, seen[index]])),
    expected,
  )
})
