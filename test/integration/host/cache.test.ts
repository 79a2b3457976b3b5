import assert from 'node:assert/strict'
import {readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import * as v from 'valibot'
import {fileFacts, keepBody, openMemory, probeOnce, readBody} from '../../../src/host/cache.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

async function setUp(t: TestContext) {
  const path = join(await temporaryFolder(t), 'cache', 'memory.json')
  const schema = v.number()
  return {path, schema, memory: openMemory(path, {schema, most: 2})}
}

test('a probe is made once for each key, and the last ones are remembered', async (t) => {
  const {memory} = await setUp(t)
  const probed: string[] = []
  const probe = (key: string) => probeOnce(memory, key, async () => probed.push(key))
  for (const key of ['a', 'a', 'b', 'a', 'c', 'b']) await probe(key)
  assert.deepEqual(probed, ['a', 'b', 'c'])
  await probe('a')
  assert.deepEqual(probed, ['a', 'b', 'c', 'a'])
})

test('what another version wrote is not read, and makes room', async (t) => {
  const {path, schema, memory} = await setUp(t)
  await memory.remember('a', 1)
  const text = await readFile(path, 'utf8')
  for (const [from, to] of [
    ['"version":1', '"version":2'],
    ['"value":1', '"value":"one"'],
  ] as const) {
    await writeFile(path, text.replace(from, to))
    assert.equal(openMemory(path, {schema}).recall('a'), undefined)
  }
  await memory.remember('a', 3)
  assert.equal(memory.recall('a'), 3)
})

test('where nothing can be remembered, the probe answers all the same', async (t) => {
  const {schema} = await setUp(t)
  const memory = openMemory('/proc/none/memory.json', {schema})
  assert.equal(await probeOnce(memory, 'a', async () => 7), 7)
})

test('bytes that were kept are read back until they are damaged', async (t) => {
  const {path} = await setUp(t)
  const facts = v.object({etag: v.string()})
  const body = Buffer.from('one\ntwo\n')
  await keepBody(path, {etag: '"x"'}, body)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  const kept = readBody(path, facts)
  assert.deepEqual([kept?.facts.etag, kept?.body], ['"x"', body])
  await writeFile(path, (await readFile(path, 'utf8')).replace('two', 'six'))
  assert.equal(readBody(path, facts), undefined)
})

test('a file that is another one has other facts', async (t) => {
  const {path, memory} = await setUp(t)
  assert.equal(fileFacts(path), '-')
  await memory.remember('a', 1)
  const before = fileFacts(path)
  assert.equal(fileFacts(path), before)
  await memory.remember('a', 2)
  assert.notEqual(fileFacts(path), before)
})
