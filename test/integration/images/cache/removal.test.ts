import assert from 'node:assert/strict'
import {mkdir, readdir, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../../../src/errors.js'
import {listKept} from '../../../../src/images/cache/cache.js'
import {pruneImages, removeImages, sweepImages} from '../../../../src/images/cache/remove.js'
import {digestOf} from '../../../support/download.js'
import {givenPublished, type Published} from '../../../support/published.js'

const BYTES = Buffer.alloc(50_000, 'older')
const NEWER = Buffer.alloc(50_000, 'newer')
const SHA256 = digestOf(BYTES)
const NOW = new Date()
const AROUND = {architecture: 'amd64', now: NOW} as const

for (const word of ['focal', '20.04', 'ubuntu:focal/base', SHA256, SHA256.slice(0, 8), `sha256:${SHA256}`]) {
  test(`removes the kept image that ${word} means`, async (t) => {
    const {images} = await givenKept(t)
    const removed = await removeImages(images, [word], AROUND)
    assert.deepEqual(
      removed.map(({name}) => name),
      ['ubuntu:focal/base'],
    )
    assert.deepEqual(await shown(images), [])
  })
}

for (const word of ['jammy', 'ubuntu:focal/cloud', SHA256.slice(0, 7), 'f'.repeat(64), '../x']) {
  test(`removes nothing for ${word}, which is not kept`, async (t) => {
    const {images} = await givenKept(t)
    const removal = removeImages(images, ['focal', word], AROUND)
    await assert.rejects(removal, {code: 'ENVS_IMAGE_NOT_KEPT', exitCode: ExitCode.notFound})
    assert.deepEqual(await shown(images), [SHA256])
  })
}

test('does not remove an image that a running command uses', async (t) => {
  const {images, open} = await givenKept(t)
  const image = await open()
  await assert.rejects(removeImages(images, ['focal'], AROUND), {
    code: 'ENVS_IMAGE_IN_USE',
    exitCode: ExitCode.conflict,
  })
  await image.close()
  await removeImages(images, ['focal'], AROUND)
  assert.deepEqual(await shown(images), [])
})

test('does not remove an image that was just fetched and is still read', async (t) => {
  const {images, open} = await givenPublished(t, BYTES)
  const image = await open()
  await image.verify()
  await assert.rejects(removeImages(images, ['focal'], AROUND), {code: 'ENVS_IMAGE_IN_USE'})
})

test('prunes the image of which a newer point release is kept', async (t) => {
  const {images} = await givenTwoKept(t)
  const pruned = await pruneImages(images, {dryRun: false, now: NOW})
  assert.deepEqual(
    pruned.map(({sha256, reason, version}) => [sha256, reason, version]),
    [[SHA256, 'superseded', '20.04.5']],
  )
  assert.deepEqual(await shown(images), [digestOf(NEWER)])
})

test('tells with a dry run what would go, and leaves it', async (t) => {
  const {images} = await givenTwoKept(t)
  const pruned = await pruneImages(images, {dryRun: true, now: NOW})
  assert.equal(pruned.length, 1)
  assert((pruned[0]?.sizeBytes ?? 0) >= 50_000)
  assert.deepEqual((await shown(images)).length, 2)
})

test('prunes by last use only what is older', async (t) => {
  const {images} = await givenKept(t)
  const used = new Date('2026-01-10T00:00:00Z')
  await utimes(join(images, SHA256, 'last-used'), used, used)
  const prune = (olderThan: string) =>
    pruneImages(images, {olderThan: new Date(olderThan), dryRun: false, now: NOW})
  assert.deepEqual(await prune('2026-01-09T00:00:00Z'), [])
  assert.deepEqual(
    (await prune('2026-01-11T00:00:00Z')).map(({reason}) => reason),
    ['unused'],
  )
})

test('prunes broken downloads and damaged images', async (t) => {
  const {images} = await givenKept(t)
  await writeFile(join(images, SHA256, 'image.json'), '{')
  const partial = join(images, `.partial.${'a'.repeat(64)}`)
  await mkdir(partial)
  await writeFile(join(partial, 'archive.part'), 'x')
  const pruned = await pruneImages(images, {dryRun: false, now: NOW})
  assert.deepEqual(
    pruned.map(({reason}) => reason),
    ['damaged', 'unfinished'],
  )
  assert.deepEqual(await readdir(images), ['.locks'])
})

test('leaves an image that a running command uses out of what it prunes', async (t) => {
  const {images, open} = await givenKept(t)
  await open()
  assert.deepEqual(await pruneImages(images, {olderThan: new Date(), dryRun: false, now: NOW}), [])
})

test('sweeps half a removal, and a download only when it is forgotten', async (t) => {
  const {images} = await givenKept(t)
  await mkdir(join(images, '.removed.0123'))
  const partial = join(images, `.partial.${'a'.repeat(64)}`)
  await mkdir(partial)
  await sweepImages(images, NOW)
  assert.deepEqual((await readdir(images)).sort(), ['.locks', `.partial.${'a'.repeat(64)}`, SHA256].sort())
  await sweepImages(images, new Date(NOW.getTime() + 31 * 86_400_000))
  assert.deepEqual((await readdir(images)).sort(), ['.locks', SHA256])
})

/** `ubuntu:focal/base`, fetched and used. */
async function givenKept(t: TestContext): Promise<Published> {
  const published = await givenPublished(t, BYTES)
  await published.use()
  return published
}

async function givenTwoKept(t: TestContext): Promise<Published> {
  const published = await givenKept(t)
  await published.publish('20.04.10', NEWER)
  await published.use()
  return published
}

async function shown(images: string): Promise<string[]> {
  return (await listKept(images)).images.map(({sha256}) => sha256)
}
