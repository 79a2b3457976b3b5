import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readdir, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type Host, openHost} from '../../../src/host/host.js'
import {openPaths, sharedPackages} from '../../../src/host/paths.js'
import {sweepPackages, sweepPackagesHourly} from '../../../src/store/package-cache.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const NOW = new Date('2026-01-02T00:00:00Z')
const HOUR_MS = 60 * 60 * 1000
const [A, B, C] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)] as const
const KIB = 1024

test('the packages that were not used for longest go until the rest fits', async (t) => {
  const {host, folder} = await given(t)
  await put(folder, B, {hoursAgo: 3})
  await put(folder, A, {hoursAgo: 2})
  await put(folder, C, {hoursAgo: 1})
  await sweepPackages(host, 150 * KIB)
  assert.deepEqual(await readdir(folder), [C])
})

test('all packages stay where they fit', async (t) => {
  const {host, folder} = await given(t)
  for (const name of [A, B]) await put(folder, name, {hoursAgo: 10_000})
  await sweepPackages(host, 250 * KIB)
  assert.deepEqual((await readdir(folder)).sort(), [A, B])
})

test('a copy that was broken off goes after a day, and so does one of a time to come', async (t) => {
  const {host, folder} = await given(t)
  await put(folder, '.partial-old', {hoursAgo: 25})
  await put(folder, '.partial-new', {hoursAgo: 23})
  await put(folder, '.partial-future', {hoursAgo: -25})
  await sweepPackages(host)
  assert.deepEqual(await readdir(folder), ['.partial-new'])
})

test('nothing is made where no environment has run', async (t) => {
  const home = await temporaryFolder(t)
  await sweepPackages({...openHost(), paths: openPaths({ENVS_HOME: home}, home)})
  assert.deepEqual(await readdir(home), [])
})

test('what a broken-off removal has left is taken away', async (t) => {
  const {host, folder} = await given(t)
  await mkdir(join(folder, '../.removed.0123abcd/inside'), {recursive: true})
  await put(folder, A, {hoursAgo: 1})
  await sweepPackages(host)
  assert.deepEqual(await readdir(join(folder, '..')), ['sha256'])
  assert.deepEqual(await readdir(folder), [A])
})

test('commands that come by look once an hour, and again when the clock was set back', async (t) => {
  const {host, folder} = await given(t)
  const old = join(folder, '.partial-old')
  for (const [hours, isSwept] of [
    [0, true],
    [0.9, false],
    [1.1, true],
    [-1, true],
  ] as const) {
    await put(folder, '.partial-old', {hoursAgo: 48})
    await sweepPackagesHourly({...host, now: () => new Date(NOW.getTime() + hours * HOUR_MS)})
    assert.equal(existsSync(old), !isSwept, `${hours} hours later`)
  }
})

async function given(t: TestContext): Promise<{host: Host; folder: string}> {
  const home = await temporaryFolder(t)
  const host = {...openHost(), paths: openPaths({ENVS_HOME: home}, home), now: () => NOW}
  const folder = sharedPackages(host.paths)
  await mkdir(folder, {recursive: true})
  return {host, folder}
}

/** A file of 100 KiB. */
async function put(folder: string, name: string, {hoursAgo}: {hoursAgo: number}): Promise<void> {
  const path = join(folder, name)
  await writeFile(path, Buffer.alloc(100 * KIB, 'x'))
  const used = new Date(NOW.getTime() - hoursAgo * HOUR_MS)
  await utimes(path, used, used)
}
