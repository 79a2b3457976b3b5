import assert from 'node:assert/strict'
import {mkdir, rename, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../../src/host/host.js'
import {capture} from '../../../../src/host/process.js'
import {type ComparisonOptions, compareTrees} from '../../../../src/rootfs/diff/compare.js'
import {NO_MARKS, readLayerMarks} from '../../../../src/rootfs/diff/layer-marks.js'
import {openMergedTree} from '../../../../src/rootfs/diff/merged.js'
import type {TreeDifference} from '../../../../src/rootfs/diff/report.js'
import {compareStacks} from '../../../../src/rootfs/diff/stacks.js'
import {treeFolder} from '../../../support/extraction.js'

const STATUS = 'Package: secret\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n'
const OPTIONS: ComparisonOptions = {own: [], isSinceImage: true, ownersCount: true, listsAll: false}

type Given = {readonly outside: string; readonly lower: string; readonly upper: string}

/** Two layers, and beside them a folder of the host's that looks like a tree. */
async function given(t: TestContext): Promise<Given> {
  const folder = await treeFolder(t)
  const [outside, lower, upper] = [join(folder, 'outside'), join(folder, 'lower'), join(folder, 'upper')]
  for (const each of [join(outside, 'lib/dpkg/info'), join(outside, 'etc'), lower, upper])
    await mkdir(each, {recursive: true})
  await writeFile(join(outside, 'lib/dpkg/status'), STATUS)
  await writeFile(join(outside, 'etc/passwd'), 'secret:x:1:1:::\n')
  return {outside, lower, upper}
}

function compared({lower, upper}: Given, options: Partial<ComparisonOptions> = {}): TreeDifference {
  const layers = [lower, upper].map((folder) => ({folder, marks: NO_MARKS}))
  return compareTrees({layers, before: [0], after: [1, 0]}, {...OPTIONS, ...options})
}

test('a link in the place of /var shows none of the files of the host', async (t) => {
  const folders = await given(t)
  await symlink(folders.outside, join(folders.upper, 'var'))
  const {packages, files} = compared(folders)
  assert.deepEqual([packages, files.map(({path, kind}) => [path, kind])], [null, [['/var', 'symlink']]])
})

test('a link in the place of a folder further down is not followed', async (t) => {
  const folders = await given(t)
  await mkdir(join(folders.lower, 'var/lib'), {recursive: true})
  await mkdir(join(folders.upper, 'var'))
  await symlink(join(folders.outside, 'lib'), join(folders.upper, 'var/lib'))
  assert.equal(compared(folders).packages, null)
})

for (const path of ['etc/passwd', 'etc/group', 'etc/shadow']) {
  test(`a link in the place of /${path} is not read`, async (t) => {
    const folders = await given(t)
    await mkdir(join(folders.upper, 'etc'))
    await symlink(join(folders.outside, 'etc/passwd'), join(folders.upper, path))
    const {users, groups} = compared(folders)
    assert.deepEqual([users, groups], [[], []])
  })

  test(`a FIFO in the place of /${path} is not waited for`, {timeout: 10_000}, async (t) => {
    const folders = await given(t)
    await mkdir(join(folders.upper, 'etc'))
    await capture(['mkfifo', join(folders.upper, path)])
    assert.deepEqual(compared(folders).users, [])
  })
}

test('a link in the place of a file is not read to compare what it leads to', async (t) => {
  const folders = await given(t)
  await mkdir(join(folders.lower, 'etc'))
  await mkdir(join(folders.upper, 'etc'))
  await writeFile(join(folders.lower, 'etc/x'), 'secret:x:1:1:::\n')
  await symlink(join(folders.outside, 'etc/passwd'), join(folders.upper, 'etc/x'))
  assert.deepEqual(
    compared(folders).files.map(({path, changed}) => [path, changed]),
    [['/etc/x', ['kind']]],
  )
})

test('lists of packages that are links or name files outside say nothing of the host', async (t) => {
  const folders = await given(t)
  const info = join(folders.upper, 'var/lib/dpkg/info')
  await mkdir(info, {recursive: true})
  await writeFile(join(folders.upper, 'var/lib/dpkg/status'), STATUS.replace('secret', 'own'))
  await writeFile(join(folders.outside, 'lib/dpkg/info/secret.list'), '/x\n')
  await symlink(join(folders.outside, 'lib/dpkg/info/secret.list'), join(info, 'secret.list'))
  await writeFile(join(info, 'own.list'), '/../../outside\n/x/../../y\n/\n')
  await writeFile(join(folders.upper, 'x'), '')
  assert.deepEqual(
    compared(folders).files.map(({path, package: name}) => [path, name]),
    [
      ['/var', null],
      ['/var/lib', null],
      ['/var/lib/dpkg', null],
      ['/x', null],
    ],
  )
})

test('words that a pattern would be slow with are read at once', {timeout: 20_000}, async (t) => {
  const folders = await given(t)
  await mkdir(join(folders.upper, 'var/lib/dpkg/info'), {recursive: true})
  await mkdir(join(folders.upper, 'etc'))
  const line = ` /${' 0123456789abcdef0123456789abcdef obsolete'.repeat(20_000)}x\n`
  await writeFile(join(folders.upper, 'var/lib/dpkg/status'), `${STATUS}Conffiles:\n${line.repeat(5)}`)
  await writeFile(join(folders.upper, 'etc/passwd'), ':'.repeat(3_000_000))
  await writeFile(join(folders.upper, 'etc/hosts'), 'a'.repeat(60_000))
  const own = [{path: 'etc/hosts', parts: ['a', 'a', 'b']}]
  assert.deepEqual(compared(folders, {own}).users, [])
})

test('a tree that is deeper than any is told of as far as bounds go, and that it goes on', async (t) => {
  const folders = await given(t)
  await capture(['sh', '-c', 'for i in $(seq 400); do mkdir d; cd d; done'], {cwd: folders.upper})
  const {unreadable, files} = compared(folders)
  assert.equal(unreadable, 1)
  assert.ok(files.length > 200)
})

test('a folder that is swapped for a link meanwhile leads nowhere', {timeout: 60_000}, async (t) => {
  const folders = await given(t)
  const {outside, lower, upper} = folders
  const swapped = join(upper, 'swapped')
  await mkdir(join(outside, 'secrets'))
  await mkdir(swapped)
  for (let index = 0; index < 20; index++) await writeFile(join(swapped, `own-${index}`), '')
  await writeFile(join(outside, 'secrets/secret'), '')
  const swapping = capture(
    [
      'sh',
      '-c',
      'i=0; while [ $i -lt 400 ]; do i=$((i+1)); mv swapped aside; ln -s ../outside/secrets swapped; rm swapped; mv aside swapped; done',
    ],
    {cwd: upper},
  )
  let ended = false
  void swapping.then(() => {
    ended = true
  })
  const paths = new Set<string>()
  while (!ended) {
    const layers = [lower, upper].map((folder) => ({folder, marks: NO_MARKS}))
    compareStacks(
      {layers, before: [0], after: [1, 0]},
      {ownersCount: true, onChange: ({path}) => paths.add(path), onUnreadable: () => {}},
    )
    await readLayerMarks([upper], openHost())
  }
  assert.equal((await swapping).status, 0)
  assert.deepEqual(
    [...paths].filter((path) => path.includes('secret')),
    [],
  )
})

test('a link that was put in the place of the lists of packages is no folder', async (t) => {
  const {outside, upper} = await given(t)
  await mkdir(join(upper, 'var/lib/dpkg'), {recursive: true})
  await symlink(join(outside, 'lib/dpkg/info'), join(upper, 'var/lib/dpkg/info'))
  const tree = openMergedTree([{folder: upper, marks: NO_MARKS}], [0])
  assert.equal(
    tree.inFolder('var/lib/dpkg/info', () => 'opened'),
    undefined,
  )
  await rename(join(upper, 'var'), join(upper, 'was'))
  assert.equal(
    tree.inFolder('var/lib/dpkg', () => 'opened'),
    undefined,
  )
})
