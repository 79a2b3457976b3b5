import assert from 'node:assert/strict'
import {chmod, mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {findProgram, openHost} from '../../../../src/host/host.js'
import type {MapperHost} from '../../../../src/host/id-mapping.js'
import {chooseEngine, guestNamespaceOf, tryEngines} from '../../../../src/sandbox/engines/select.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const HOST = openHost()
const hasProot = HOST.which('proot') !== undefined

/** This host with some programs in the place of its own, or without them. */
async function hostWith(
  t: TestContext,
  programs: Readonly<Record<string, string | undefined>>,
): Promise<{host: MapperHost; cacheFolder: string; uses(): Promise<string[]>}> {
  const folder = await temporaryFolder(t)
  const log = join(folder, 'uses')
  await mkdir(join(folder, 'bin'))
  for (const [name, action] of Object.entries(programs)) {
    if (action === undefined) continue
    const path = join(folder, 'bin', name)
    await writeFile(path, `#!/bin/sh\necho ${name} >>${log}\n${action}\n`)
    await chmod(path, 0o755)
  }
  const which = (name: string) =>
    name in programs
      ? programs[name] && join(folder, 'bin', name)
      : findProgram(name, process.env['PATH'] ?? '')
  return {
    host: {...HOST, which},
    cacheFolder: join(folder, 'cache'),
    uses: async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean),
  }
}

/** A trial of an engine that fails: with a second user namespace, and without. */
const ONCE = ['bwrap', 'bwrap']

const works = (name: string) => `exec ${HOST.which(name)} "$@"`

test('the best engine that works is taken, and what was found out is not tried again', async (t) => {
  const {host, cacheFolder, uses} = await hostWith(t, {bwrap: works('bwrap')})
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'bwrap')
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'bwrap')
  assert.deepEqual(await uses(), ['bwrap'])
})

test('a bwrap that does not work is passed by, and asked once', async (t) => {
  const {host, cacheFolder, uses} = await hostWith(t, {bwrap: 'exit 1'})
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'unshare')
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'unshare')
  assert.deepEqual(await uses(), ONCE)
})

test('another program of the same name is tried anew', async (t) => {
  const broken = await hostWith(t, {bwrap: 'exit 1'})
  const mended = await hostWith(t, {bwrap: works('bwrap')})
  const {cacheFolder} = broken
  assert.equal(await chooseEngine(broken.host, {setting: 'auto', cacheFolder}), 'unshare')
  assert.equal(await chooseEngine(mended.host, {setting: 'auto', cacheFolder}), 'bwrap')
})

test('without bubblewrap system calls alone do', async (t) => {
  const {host, cacheFolder} = await hostWith(t, {bwrap: undefined})
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'unshare')
})

test('without user namespaces proot does', async (t) => {
  if (!hasProot) return t.skip('proot is not installed')
  const {host, cacheFolder} = await hostWith(t, {bwrap: undefined, unshare: 'exit 1'})
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'proot')
})

test('what was asked for is taken, however good another is', async (t) => {
  const {host, cacheFolder, uses} = await hostWith(t, {bwrap: works('bwrap')})
  assert.equal(await chooseEngine(host, {setting: 'unshare', cacheFolder}), 'unshare')
  assert.deepEqual(await uses(), [])
  // That one is known says nothing of a better one.
  assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'bwrap')
})

test('what was asked for and does not work is refused in words, and asked again the next time', async (t) => {
  const {host, cacheFolder, uses} = await hostWith(t, {bwrap: 'exit 1'})
  const refused = {code: 'ENVS_ENGINE_UNAVAILABLE', exitCode: 7, message: /bwrap/}
  await assert.rejects(chooseEngine(host, {setting: 'bwrap', cacheFolder}), refused)
  await assert.rejects(chooseEngine(host, {setting: 'bwrap', cacheFolder}), refused)
  assert.deepEqual(await uses(), [...ONCE, ...ONCE])
})

test('where nothing works the error names the checks of the doctor', async (t) => {
  const {host, cacheFolder} = await hostWith(t, {bwrap: undefined, unshare: undefined, proot: undefined})
  await assert.rejects(chooseEngine(host, {setting: 'auto', cacheFolder}), (error: Error) => {
    assert.ok('suggestions' in error)
    assert.match(String(error.suggestions), /envs doctor/)
    return true
  })
})

test('a program that hangs up at once, or is no program, is no engine', async (t) => {
  const {host, cacheFolder} = await hostWith(t, {bwrap: 'kill -9 $$', proot: undefined, unshare: undefined})
  const {verdicts} = await tryEngines(host, {cacheFolder})
  assert.deepEqual(verdicts, {bwrap: false, unshare: false, proot: false})
})

test('a file of trials that is damaged is as good as none', async (t) => {
  const {host, cacheFolder} = await hostWith(t, {})
  await mkdir(cacheFolder)
  for (const text of ['', '{', '{"key":1,"verdict":null}', '[]']) {
    await writeFile(join(cacheFolder, 'engines.json'), text)
    assert.equal(await chooseEngine(host, {setting: 'unshare', cacheFolder}), 'unshare')
  }
})

for (const [host, perl, namespace] of [
  ['this one', undefined, 'second'],
  ['one that forbids it', 'exit 1', 'only'],
] as const) {
  test(`a guest of ${host} has the user namespace that a trial succeeded with: ${namespace}`, {
    skip: HOST.uid === 0 && 'the namespace of its mounts is the own one of root',
  }, async (t) => {
    const {host, cacheFolder} = await hostWith(t, perl === undefined ? {} : {perl})
    assert.equal(await guestNamespaceOf(host, 'bwrap', {cacheFolder}), namespace)
    assert.equal(await chooseEngine(host, {setting: 'auto', cacheFolder}), 'bwrap')
    assert.equal(await guestNamespaceOf(host, 'bwrap', {cacheFolder}), namespace)
  })
}
