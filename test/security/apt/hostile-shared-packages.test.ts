import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {chmod, lstat, mkdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {downloadPackages} from '../../../src/apt/download.js'
import {takeShared} from '../../../src/apt/fetch-folder.js'
import {digestOf} from '../../support/download.js'
import {givenVictim, type Victim} from '../../support/refused-archive.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** A guest's work in the folder that environments share, at the name of a package that is wanted. */
async function givenPlanted(t: Parameters<typeof givenVictim>[0], plant: (path: string) => Promise<void>) {
  const victim = await givenVictim(t)
  const planned = await victim.plan()
  const shared = join(victim.context.paths.packages, 'sha256')
  await mkdir(shared, {recursive: true})
  const path = join(shared, planned.packages[0]?.sha256 ?? '')
  await plant(path)
  return {...victim, planned, path, shared}
}

async function fetchAll(
  planned: Awaited<ReturnType<Victim['plan']>>,
  context: Victim['context'],
): Promise<void> {
  const downloads = await downloadPackages(planned, context)
  for await (const {package: each, path} of downloads) {
    assert.equal(digestOf(await readFile(path)), each.sha256)
    assert.ok((await lstat(path)).isFile())
  }
  await downloads.close()
}

for (const [what, plant] of [
  ['another file', (path: string) => writeFile(path, 'not the package')],
  ['a link to a file of the host', (path: string) => symlink('/etc/hostname', path)],
  ['a link to nothing', (path: string) => symlink('/nowhere', path)],
  ['a FIFO', async (path: string) => void execFileSync('mkfifo', [path])],
] as const) {
  test(`${what} in the place of a package is as none, and the package takes its place`, async (t) => {
    const {context, planned, path} = await givenPlanted(t, plant)
    await fetchAll(planned, context)
    assert.equal(digestOf(await readFile(path)), planned.packages[0]?.sha256)
    assert.ok((await lstat(path)).isFile())
  })
}

test('a folder in the place of a package stays, and the package is used all the same', async (t) => {
  const {context, planned, path} = await givenPlanted(t, async (place) => {
    await mkdir(join(place, 'inside'), {recursive: true})
  })
  await fetchAll(planned, context)
  assert.ok((await lstat(path)).isDirectory())
})

test('a folder that a guest has closed is done without', async (t) => {
  const {context, planned, shared} = await givenPlanted(t, (path) => writeFile(path, 'x'))
  await chmod(shared, 0)
  await fetchAll(planned, context).finally(() => chmod(shared, 0o700))
})

test('a file of the right size and another content is not taken, and no copy stays', async (t) => {
  const folder = await temporaryFolder(t)
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  await writeFile(source, 'evil')
  assert.equal(takeShared(source, target, {sizeBytes: 4, sha256: digestOf(Buffer.from('good'))}), false)
  await assert.rejects(lstat(target), {code: 'ENOENT'})
})

test('what is taken is a copy: the original may change afterwards', async (t) => {
  const folder = await temporaryFolder(t)
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  await writeFile(source, 'good')
  assert.equal(takeShared(source, target, {sizeBytes: 4, sha256: digestOf(Buffer.from('good'))}), true)
  await writeFile(source, 'evil')
  assert.equal(await readFile(target, 'utf8'), 'good')
  assert.notEqual((await lstat(source)).ino, (await lstat(target)).ino)
})
