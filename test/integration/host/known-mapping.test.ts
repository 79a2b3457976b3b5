import assert from 'node:assert/strict'
import {chmod, readFile, stat, symlink, unlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {probeMapped} from '../../../src/host/id-mapping.js'
import {findMapping, knownIdMapper} from '../../../src/host/trials.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const host = openHost()
const probe = await probeMapped(host)
const skip = probe.works ? false : `ids can not be mapped here: ${probe.reason}`

/** A host with a memory of its own. */
async function setUp(t: TestContext) {
  const cache = join(await temporaryFolder(t), 'cache')
  const knowing = {...host, paths: {...host.paths, cache}}
  return {knowing, kept: join(cache, 'id-mapping.json')}
}

test('what a trial came to is kept where nobody else can write', {skip}, async (t) => {
  const {knowing, kept} = await setUp(t)
  assert.deepEqual(await findMapping(knowing), probe)
  assert.equal((await stat(kept)).mode & 0o777, 0o600)
  const {entries} = JSON.parse(await readFile(kept, 'utf8'))
  assert.equal(entries[0].value, probe.works && probe.way)
})

/** Makes what is kept say another thing than a trial would: where that comes up, none was done. */
async function falsify(kept: string): Promise<string> {
  const json = JSON.parse(await readFile(kept, 'utf8'))
  const [{key, value}] = json.entries
  const way = value === 'unshare' ? 'newuidmap' : 'unshare'
  await writeFile(kept, JSON.stringify({...json, entries: [{key, value: way}]}))
  return way
}

test('what is kept is taken for what it says, and gives the same words', {skip}, async (t) => {
  const {knowing, kept} = await setUp(t)
  const before = await knownIdMapper(knowing)
  await findMapping(knowing)
  assert.deepEqual(await knownIdMapper(knowing), before)
  const way = await falsify(kept)
  assert.deepEqual(await findMapping(knowing), {works: true, way})
})

for (const [what, spoil] of [
  [
    'of other circumstances',
    async (kept) => writeFile(kept, JSON.stringify({version: 1, entries: [{key: 'x', value: 'newuidmap'}]})),
  ],
  ['that others could have written', async (kept) => chmod(kept, 0o602)],
  ['of the format of an earlier version', async (kept) => writeFile(kept, '{"key":"x","verdict":"unshare"}')],
  ['of no known form', async (kept) => writeFile(kept, 'null')],
  [
    'behind a link',
    async (kept) => {
      await writeFile(`${kept}.elsewhere`, await readFile(kept))
      await unlink(kept)
      await symlink(`${kept}.elsewhere`, kept)
    },
  ],
] satisfies [string, (kept: string) => Promise<void>][]) {
  test(`a verdict ${what} is not taken`, {skip}, async (t) => {
    const {knowing, kept} = await setUp(t)
    await findMapping(knowing)
    await falsify(kept)
    await spoil(kept)
    assert.deepEqual(await findMapping(knowing), probe)
  })
}

test('a program that is another one is tried anew', {skip}, async (t) => {
  const {knowing} = await setUp(t)
  await findMapping(knowing)
  const which = (program: string) => (program === 'unshare' ? host.which('true') : host.which(program))
  assert.deepEqual(await findMapping({...knowing, which}), await probeMapped({...host, which}))
})

test('that it failed is not kept: the next command sees a host that was repaired', {skip}, async (t) => {
  const {knowing, kept} = await setUp(t)
  const failed = await findMapping({...knowing, which: () => undefined})
  assert.equal(failed.works, false)
  await assert.rejects(stat(kept), {code: 'ENOENT'})
  assert.deepEqual(await findMapping(knowing), probe)
})
