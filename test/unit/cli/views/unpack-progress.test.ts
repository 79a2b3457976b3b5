import assert from 'node:assert/strict'
import {test} from 'node:test'
import {unpackProgress} from '../../../../src/cli/views/creation.js'

test('a download and an extraction beside it are one line, in the stage that runs', async () => {
  const lines: string[] = []
  const progress = unpackProgress(() => 0)
  const fetch = progress.stage('Fetch', async () => {
    progress.transfer({stage: 'download', receivedBytes: 1000, totalBytes: 3000})
  })
  const extract = progress.stage('Extract', async () => {
    progress.extraction({entries: 5, bytes: 2000})
    progress.transfer({stage: 'download', receivedBytes: 3000, totalBytes: 3000})
  })
  await fetch.run((line) => lines.push(`fetch: ${line}`))
  await extract.run((line) => lines.push(`extract: ${line}`))
  assert.deepEqual(lines, [
    'fetch: 1.0 kB of 3.0 kB',
    'extract: 5 members, 2.0 kB; 1.0 kB of 3.0 kB',
    'extract: 5 members, 2.0 kB',
  ])
})

test('an extraction says how long it takes still, by how much of the archive was read', async () => {
  const lines: string[] = []
  let nowMs = 0
  const progress = unpackProgress(() => nowMs)
  const extract = progress.stage('Extract', async () => {
    for (const readBytes of [0, 1000, 2000, 4000]) {
      progress.extraction({entries: 5, bytes: 2000, archive: {readBytes, totalBytes: 4000}})
      nowMs += 1000
    }
  })
  await extract.run((line) => lines.push(line))
  assert.deepEqual(lines, [
    '5 members, 2.0 kB',
    '5 members, 2.0 kB, 3 s left',
    '5 members, 2.0 kB, 2 s left',
    '5 members, 2.0 kB, 1 s left',
  ])
})
