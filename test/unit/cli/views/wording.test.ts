import assert from 'node:assert/strict'
import {test} from 'node:test'
import {formatDuration} from '../../../../src/cli/format.js'
import {describeFallback, describeTransfer} from '../../../../src/cli/views/text.js'

for (const [receivedBytes, totalBytes, bytesPerSecond, line] of [
  [12_000_000, 26_000_000, undefined, '12 MB of 26 MB'],
  [12_000_000, 26_000_000, 3_100_000, '12 MB of 26 MB, 3.1 MB/s, 5 s left'],
  [12_000_000, undefined, 3_100_000, '12 MB, 3.1 MB/s'],
  [12_000_000, 26_000_000, 0, '12 MB of 26 MB, 0 B/s'],
  [12_000_000, undefined, undefined, '12 MB'],
] as const) {
  test(`a download is told as ${line}`, () => {
    const event = {stage: 'download', receivedBytes, totalBytes} as const
    assert.equal(describeTransfer(event, bytesPerSecond), line)
  })
}

test('a download that waits for its next try says why and how long', () => {
  const event = {stage: 'download-retry', waitMs: 1400, reason: 'mirror: the connection broke'} as const
  assert.equal(describeTransfer(event), 'mirror: the connection broke; next attempt in 2 s')
})

test('a download that another process does is waited for', () => {
  assert.equal(describeTransfer({stage: 'download-wait'}), 'another envs downloads the image: waiting')
})

for (const [seconds, text] of [
  [0, '1 s'],
  [4.2, '5 s'],
  [99, '99 s'],
  [100, '2 min'],
  [3600, '60 min'],
  [5940, '99 min'],
  [6000, '1 h 40 min'],
  [7200, '2 h'],
] as const) {
  test(`${seconds} seconds are ${text}`, () => {
    assert.equal(formatDuration(seconds), text)
  })
}

test('a kept image that had to do is named with the reason', () => {
  const image = {name: 'ubuntu:focal/base', version: '20.04.5', fetchedAt: new Date('2026-01-01T00:00:00Z')}
  const now = new Date('2026-01-03T00:00:00Z')
  assert.equal(
    describeFallback(image, {reason: 'No server answered.', now}),
    'No server answered. Used the kept image ubuntu:focal/base 20.04.5, fetched 2 days ago; there may be a newer one.',
  )
})
