import assert from 'node:assert/strict'
import {appendFile, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {buffer} from 'node:stream/consumers'
import {type TestContext, test} from 'node:test'
import {GrowingFile} from '../../../src/images/download.js'
import {digestOf} from '../../support/download.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {waitUntil} from '../../support/wait-until.js'

test('hands out only what it was told of, and ends when it is told so', async (t) => {
  const {file, path} = await given(t, 'abcdef')
  file.grow(3)
  const all = buffer(file.bytes)
  await appendFile(path, 'gh')
  file.grow(6)
  file.end(8)
  assert.equal(String(await all), 'abcdefgh')
})

test('hands out nothing of an empty file', async (t) => {
  const {file} = await given(t, '')
  file.end(0)
  assert.equal(String(await buffer(file.bytes)), '')
  assert.deepEqual(await file.digest(), {sha256: digestOf(Buffer.alloc(0)), sizeBytes: 0})
})

test('fails its reader with the reason of the writer', async (t) => {
  const {file} = await given(t, 'abc')
  file.grow(3)
  const all = buffer(file.bytes)
  file.fail(new RangeError('no more'))
  await assert.rejects(all, {name: 'RangeError', message: 'no more'})
})

test('tells a reader that comes after the failure', async (t) => {
  const {file} = await given(t, 'abc')
  file.fail(new RangeError('no more'))
  await assert.rejects(buffer(file.bytes), {name: 'RangeError'})
})

test('goes on where it was when the file begins anew', async (t) => {
  const {file, path} = await given(t, 'abcdef')
  file.grow(6)
  const all = buffer(file.bytes)
  await waitUntil('the first bytes are read', () => file.bytes.readableDidRead)
  await truncate(path, 0)
  file.grow(0)
  await writeFile(path, 'ABCDEFGH')
  file.grow(4)
  file.end(8)
  assert.equal(String(await all), 'abcdefGH')
  assert.equal((await file.digest()).sha256, digestOf(Buffer.from('abcdefGH')))
})

test('makes the digest of all of it where the reader stopped early', async (t) => {
  const {file} = await given(t, 'abcdef')
  file.end(6)
  file.bytes.destroy()
  assert.deepEqual(await file.digest(), {sha256: digestOf(Buffer.from('abcdef')), sizeBytes: 6})
})

test('may be closed before it was read, and twice', async (t) => {
  const {file} = await given(t, 'abc')
  await Promise.all([file.close(), file.close()])
  assert.equal(file.bytes.destroyed, true)
})

async function given(t: TestContext, content: string): Promise<{file: GrowingFile; path: string}> {
  const path = join(await temporaryFolder(t), 'part')
  await writeFile(path, content)
  const file = new GrowingFile(path)
  t.after(() => file.close())
  return {file, path}
}
