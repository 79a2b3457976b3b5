import assert from 'node:assert/strict'
import {test} from 'node:test'
import {UsageError} from '../../../src/errors.js'
import {LIMIT_TEXTS, type LimitName, limitsIn, parseTimeout} from '../../../src/features/limit-texts.js'
import {countsInNamespaces} from '../../../src/features/limits.js'

const VALUES: readonly (readonly [LimitName, string, number | undefined])[] = [
  ['memory', '500M', 500_000_000],
  ['memory', '2G', 2_000_000_000],
  ['memory', '1M', undefined],
  ['memory', '500', undefined],
  ['cpus', '0.5', 0.5],
  ['cpus', '2', 2],
  ['cpus', '0', undefined],
  ['cpus', '1.234', undefined],
  ['cpus', '-1', undefined],
  ['processes', '100', 100],
  ['processes', '4', undefined],
  ['processes', '1e3', undefined],
  ['io-weight', '1', 1],
  ['io-weight', '10000', 10_000],
  ['io-weight', '10001', undefined],
  ['disk', '20G', 20_000_000_000],
  ['disk', '0k', undefined],
  ['timeout', '90s', 90],
  ['timeout', '10m', 600],
  ['timeout', '2h', 7200],
  ['timeout', '0s', undefined],
  ['timeout', '90', undefined],
  ['timeout', '1d', undefined],
]

for (const [name, text, value] of VALUES)
  test(`${name} "${text}" is ${value ?? 'no value'}`, () => {
    assert.equal(LIMIT_TEXTS[name].parse(text), value)
  })

test('the flags of a command become limits', () => {
  assert.deepEqual(limitsIn({memory: '2G', 'io-weight': '50', 'require-limits': true, name: 'play'}), {
    limits: {memoryBytes: 2_000_000_000, ioWeight: 50, isRequired: true},
  })
  assert.deepEqual(limitsIn({name: 'play', 'require-limits': false}), {})
})

test('a value that is none is refused by the name of its flag', () => {
  const refused = (problem: string) => (error: unknown) =>
    error instanceof UsageError && error.message === problem
  assert.throws(
    () => limitsIn({cpus: 'two'}),
    refused('--cpus "two" is invalid: it must be a number of processors from 0.01 on, such as 0.5 or 2.'),
  )
  assert.throws(() => limitsIn({'require-limits': true}), refused('--require-limits needs a limit.'))
  assert.throws(
    () => parseTimeout('5'),
    refused(
      '--timeout "5" is invalid: it must be a time in seconds, minutes or hours, such as 90s, 10m or 2h.',
    ),
  )
})

for (const [kernel, counts] of [
  ['5.13.0-52-generic', false],
  ['5.14.0-1', true],
  ['4.19.0', false],
  ['6.8.0-31-generic', true],
] as const)
  test(`a user namespace of Linux ${kernel} counts its processes: ${counts}`, () => {
    assert.equal(countsInNamespaces(kernel), counts)
  })
