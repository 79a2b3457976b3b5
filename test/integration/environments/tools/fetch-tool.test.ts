import assert from 'node:assert/strict'
import {mkdir, readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fetchTool} from '../../../../src/environments/tools/fetch.js'
import {openHost} from '../../../../src/host/host.js'
import {fetchedTool} from '../../../../src/host/paths.js'
import {openArchive, pathWith} from '../../../support/archive.js'
import {clientOf} from '../../../support/archive-context.js'
import type {ArchivePackage} from '../../../support/archive-pocket.js'
import {makeSigner} from '../../../support/signer.js'
import {trusted} from '../../../support/trusted-key.js'

/** When trixie is the stable release. */
const NOW = new Date('2026-06-01T12:00:00Z')
const WISH = {tool: 'emulator', packageName: 'emulators', programs: ['usr/bin/one', 'usr/bin/two']}

function emulators(version: string): ArchivePackage {
  const files = {'usr/bin/one': `one ${version}`, 'usr/bin/two': `two ${version}`, 'usr/bin/three': 'three'}
  return {name: 'emulators', version, files}
}

async function given(t: TestContext) {
  const publication = {date: NOW, validUntil: null}
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: []})
  const publish = async (version: string) => {
    for (const pocket of ['updates', 'security'] as const)
      await archive.publish(pocket, {...publication, packages: []})
    await archive.publish('release', {...publication, packages: [{name: 'apt'}, emulators(version)]})
  }
  await publish('1:1.0')
  const pinnedKeys = async () => [trusted(archive.signer)]
  const {context} = await clientOf(t, archive, {now: NOW, pinnedKeys, keyrings: []})
  const host = openHost()
  const paths = {...host.paths, ...context.paths}
  const own = {...host, paths, architecture: 'amd64'} as const
  const entries = async () => (await readdir(join(paths.data, 'tools/emulator'))).sort()
  return {
    archive,
    publish,
    paths,
    entries,
    fetch: (change = {}) => fetchTool(own, WISH, {...context, ...change}),
  }
}

test('the programs that are asked for come into the data folder, and are found there', async (t) => {
  const {fetch, paths, entries} = await given(t)
  assert.equal(fetchedTool(paths, 'emulator'), undefined)
  const {version, folder, wasKept} = await fetch()
  assert.deepEqual({version, wasKept}, {version: '1:1.0', wasKept: false})
  assert.equal(fetchedTool(paths, 'emulator'), folder)
  assert.deepEqual((await readdir(folder)).sort(), ['one', 'two'])
  assert.equal(await readFile(join(folder, 'one'), 'utf8'), 'one 1:1.0')
  assert.equal((await stat(join(folder, 'one'))).mode & 0o777, 0o755)
  assert.deepEqual(await entries(), ['.lock', '1:1.0'])
})

test('a key of the user does not sign for programs of the host', async (t) => {
  const {archive, fetch, entries} = await given(t)
  const other = await makeSigner()
  const pinnedKeys = async () => [trusted(other)]
  await assert.rejects(fetch({pinnedKeys, keyrings: archive.keyrings}), {
    code: 'ENVS_UNKNOWN_SIGNER',
    exitCode: 6,
  })
  assert.deepEqual(await entries(), ['.lock'])
})

test('what is here is not fetched again, and a newer one takes its place', async (t) => {
  const {archive, publish, fetch, entries} = await given(t)
  await fetch()
  assert.equal((await fetch()).wasKept, true)
  assert.equal(archive.requested().filter((path) => path.includes('emulators')).length, 1)
  await publish('1:2.0')
  assert.equal((await fetch()).version, '1:2.0')
  assert.deepEqual(await entries(), ['.lock', '1:2.0'])
})

test('of two at once one fetches', async (t) => {
  const {archive, fetch, entries} = await given(t)
  const both = await Promise.all([fetch(), fetch()])
  assert.deepEqual(both.map(({wasKept}) => wasKept).sort(), [false, true])
  assert.equal(archive.requested().filter((path) => path.includes('emulators')).length, 1)
  assert.deepEqual(await entries(), ['.lock', '1:1.0'])
})

test('a package that is not what was signed is refused, and nothing of it stays', async (t) => {
  const {archive, fetch, entries} = await given(t)
  const path = pathWith(archive, 'emulators')
  const whole = archive.files.get(path) ?? Buffer.alloc(0)
  archive.files.set(path, Buffer.alloc(whole.length, 'x'))
  await assert.rejects(fetch(), {code: 'ENVS_PACKAGE_MISMATCH'})
  assert.deepEqual(await entries(), ['.lock'])
  archive.files.set(path, whole)
  assert.equal((await fetch()).wasKept, false)
})

test('what a killed command left goes with the next', async (t) => {
  const {fetch, paths, entries} = await given(t)
  await mkdir(join(paths.data, 'tools/emulator/.partial.dead/programs'), {recursive: true})
  await fetch()
  assert.deepEqual(await entries(), ['.lock', '1:1.0'])
})
