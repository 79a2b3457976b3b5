import assert from 'node:assert/strict'
import {test} from 'node:test'
import {runStages, stagesOf} from '../../../src/cli/progress.js'
import {CHOICE_STAGES, MAKING_STAGES} from '../../../src/cli/views/image-stages.js'
import {describeMaking} from '../../../src/cli/views/making.js'
import type {ArchiveProgress} from '../../../src/environments/create/wanted-image.js'

/** Runs stages one after another, and notes when each is over among what the job tells. */
async function followed(parts: typeof MAKING_STAGES, events: readonly ArchiveProgress[]): Promise<string[]> {
  const noted: string[] = []
  const stages = stagesOf(
    parts,
    async (tell) => {
      for (const event of events) {
        noted.push(event.stage)
        tell(event)
        // Whoever waits for it has gone on by then.
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    describeMaking,
  )
  for (const {title, run} of stages) {
    await run(() => {})
    noted.push(`${title} is over`)
  }
  return noted
}

const packages = (receivedCount: number): ArchiveProgress => ({
  ...{stage: 'packages', receivedBytes: 1, totalBytes: 2, totalCount: 2},
  receivedCount,
})
const unpack: ArchiveProgress = {stage: 'unpack', count: 1, totalCount: 2, bytes: 1}
const configure: ArchiveProgress = {stage: 'configure', count: 1, totalCount: 2}

test('a stage is over when a later one is told of', async () => {
  const events: ArchiveProgress[] = [
    {stage: 'release', suite: 'trixie'},
    {stage: 'indices', receivedBytes: 1, totalBytes: 2},
    {stage: 'selection'},
  ]
  assert.deepEqual(await followed(CHOICE_STAGES, events), [
    ...['release', 'indices', 'Release is over', 'selection', 'Indices is over', 'Packages is over'],
  ])
})

test('packages are unpacked while others come, and the download is over with the last', async () => {
  const events = [packages(1), unpack, packages(2), unpack, configure]
  assert.deepEqual(await followed(MAKING_STAGES, events), [
    ...['packages', 'unpack', 'packages', 'Download is over', 'unpack', 'configure', 'Unpack is over'],
    ...['Configure is over', 'Pack is over'],
  ])
})

test('stages that nothing is told of are over with the job', async () => {
  assert.deepEqual(await followed(CHOICE_STAGES, []), [
    ...['Release is over', 'Indices is over', 'Packages is over'],
  ])
})

test('what the job fails with is the failure of the stage that runs then', async () => {
  const stages = stagesOf(
    CHOICE_STAGES,
    async (tell) => {
      tell({stage: 'indices', receivedBytes: 1, totalBytes: 2})
      throw new Error('broken')
    },
    describeMaking,
  )
  await stages[0]?.run(() => {})
  await assert.rejects(async () => stages[1]?.run(() => {}), /broken/)
})

test('each stage has the bytes of its last event, and begins with its first', async () => {
  const events = [packages(1), unpack, packages(2), unpack, configure]
  const job = async (tell: (event: ArchiveProgress) => void) => {
    for (const event of events) {
      tell(event)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const stages = stagesOf(MAKING_STAGES, job, (event) => event.stage)
  const timings = await runStages(stages, 'silent')
  assert.deepEqual(
    timings.map(({title, bytes}) => [title, bytes]),
    [
      ['Download', 1],
      ['Unpack', 1],
      ['Configure', undefined],
      ['Pack', undefined],
    ],
  )
  const [download, unpacking] = timings
  assert.ok(download !== undefined && unpacking !== undefined)
  // The display comes to the second stage only after the first has ended.
  assert.ok(unpacking.startedAtMs < download.endedAtMs)
})
