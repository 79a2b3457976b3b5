import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  addResumable,
  describeResumable,
  type KeepingEvent,
  type Resumable,
} from '../../../../src/cli/views/creation.js'

const download = (receivedBytes: number, totalBytes?: number): KeepingEvent => ({
  stage: 'download',
  receivedBytes,
  totalBytes,
})
const packages = (receivedCount: number): KeepingEvent => ({
  ...{stage: 'packages', receivedBytes: receivedCount, totalBytes: 9, totalCount: 9},
  receivedCount,
})
const release: KeepingEvent = {stage: 'release', suite: 'trixie'}
const indices = (receivedBytes: number): KeepingEvent => ({stage: 'indices', receivedBytes, totalBytes: 9})
const selection: KeepingEvent = {stage: 'selection'}
const configure: KeepingEvent = {stage: 'configure', count: 1, totalCount: 9}

const ONWARDS = 'kept: the same command continues from there.'
const IN_STORE = 'The image is kept: the same command downloads nothing.'

for (const [what, events, told] of [
  ['a download before its first byte', [download(0, 2)], undefined],
  ['a download that has begun', [download(1, 2)], `The downloaded part is ${ONWARDS}`],
  ['a download that is whole', [download(1, 2), download(2, 2)], undefined],
  ['a download of unknown length', [download(1)], undefined],
  ['an image to be made, before its indices', [release], undefined],
  ['indices, before the first byte', [release, indices(0)], undefined],
  ['indices of which a part is here', [release, indices(1)], `The downloaded part is ${ONWARDS}`],
  ['a choice of packages', [release, indices(9), selection], `The package indices are ${ONWARDS}`],
  ['a choice from indices that were here', [release, selection], `The package indices are ${ONWARDS}`],
  ['packages, none of them whole', [selection, packages(0)], `The package indices are ${ONWARDS}`],
  [
    'packages, some of them whole',
    [selection, packages(1), packages(2)],
    `The package indices and 2 of 9 packages are ${ONWARDS}`,
  ],
  [
    'packages that are being configured',
    [selection, packages(9), configure],
    `The package indices and all 9 packages are ${ONWARDS}`,
  ],
  ['an image that was made', [selection, packages(9), {stage: 'stored'}], IN_STORE],
  ['an image that has come whole', [download(1, 2), {stage: 'stored'}], IN_STORE],
  ['the last news of its download', [{stage: 'stored'}, download(2, 2)], IN_STORE],
] as const satisfies readonly (readonly [string, readonly KeepingEvent[], string | undefined])[]) {
  test(`an interruption after ${what} says what is kept`, () => {
    const resumable = events.reduce<Resumable>(addResumable, {})
    assert.equal(describeResumable(resumable), told)
  })
}
