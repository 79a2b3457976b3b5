import assert from 'node:assert/strict'
import {lstat, mkdir, readdir, readFile, rename, stat, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {DEFAULT_LIMITS} from '../../../src/rootfs/limits.js'
import {holdFolder} from '../../../src/rootfs/plain/held-folder.js'
import {memberPath} from '../../../src/rootfs/plain/names.js'
import {readPlain} from '../../../src/rootfs/plain/reader.js'
import {openPlainWriter, type PlainWriter} from '../../../src/rootfs/plain/writer.js'
import type {Member} from '../../../src/rootfs/tar/member.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const COMMON = {mode: 0o6755, uid: 0, gid: 0, modified: '0'}
const FILE = {...COMMON, kind: 'file', sizeBytes: 1, storedBytes: 1, capability: undefined} as const
const FOLDER = {...COMMON, kind: 'folder'} as const

/** A writer into `copy`, and a folder `outside` with a sentinel that nothing may touch. */
async function given(t: TestContext) {
  const folder = await temporaryFolder(t)
  const [copy, outside] = [join(folder, 'copy'), join(folder, 'outside')]
  for (const path of [copy, outside]) await mkdir(path)
  await writeFile(join(outside, 'file'), 'sentinel', {mode: 0o600})
  const skipped: Member[] = []
  const writer = openPlainWriter(holdFolder(copy), (member) => void skipped.push(member))
  t.after(() => writer.close())
  return {copy, outside, writer, skipped}
}

function writeFileMember(writer: PlainWriter, name: string): void {
  writer.begin({...FILE, name})
  writer.data(Buffer.from('x'), 0)
  writer.end()
}

async function assertUntouched(outside: string): Promise<void> {
  assert.deepEqual(await readdir(outside), ['file'])
  assert.equal(await readFile(join(outside, 'file'), 'utf8'), 'sentinel')
  assert.equal((await stat(join(outside, 'file'))).mode & 0o777, 0o600)
}

test('a member below a link of the archive is refused', async (t) => {
  const {outside, writer} = await given(t)
  writer.begin({...COMMON, kind: 'symlink', name: 'sub', target: outside})
  assert.throws(() => writeFileMember(writer, 'sub/file'), {code: 'ENOTDIR'})
  assert.throws(() => writer.begin({...FOLDER, name: 'sub'}), {code: 'ENOTDIR'})
  await assertUntouched(outside)
})

test('a member in the place of a link replaces it', async (t) => {
  const {copy, outside, writer} = await given(t)
  await symlink(join(outside, 'file'), join(copy, 'file'))
  writeFileMember(writer, 'file')
  writer.finish()
  assert.equal(await readFile(join(copy, 'file'), 'utf8'), 'x')
  assert.equal((await lstat(join(copy, 'file'))).mode & 0o7777, 0o755)
  await assertUntouched(outside)
})

test('a folder that is swapped for a link between two members leads nowhere', async (t) => {
  const {copy, outside, writer} = await given(t)
  writer.begin({...FOLDER, name: 'sub'})
  await rename(join(copy, 'sub'), join(copy, 'moved'))
  await symlink(outside, join(copy, 'sub'))
  // The folder is held open: the file goes where the folder is now.
  writeFileMember(writer, 'sub/file')
  assert.deepEqual(await readdir(join(copy, 'moved')), ['file'])
  writeFileMember(writer, 'other')
  assert.throws(() => writeFileMember(writer, 'sub/file'), {code: 'ENOTDIR'})
  assert.throws(() => writer.finish(), {code: 'ENOTDIR'})
  await assertUntouched(outside)
})

test('a hard link to a file outside, or through a link, is refused', async (t) => {
  const {outside, writer} = await given(t)
  writer.begin({...COMMON, kind: 'symlink', name: 'sub', target: outside})
  const link = {...COMMON, kind: 'hardlink', name: 'hard'} as const
  assert.throws(() => writer.begin({...link, target: 'sub/file'}), {code: 'ENOTDIR'})
  assert.throws(() => writer.begin({...link, target: '../outside/file'}), /not the name of an entry/)
  await assertUntouched(outside)
})

test('devices and FIFOs are left out', async (t) => {
  const {copy, writer, skipped} = await given(t)
  writer.begin({...COMMON, kind: 'fifo', name: 'fifo'})
  writer.begin({...COMMON, kind: 'device', name: 'disk', device: {type: 'block', major: 8, minor: 0}})
  assert.deepEqual([await readdir(copy), skipped.length], [[], 2])
})

for (const name of ['/etc/passwd', '../x', 'a/../../x', 'a\0b', `${'a/'.repeat(300)}x`, 'x'.repeat(300)]) {
  test(`a member with the name ${JSON.stringify(name.slice(0, 20))} is refused`, () => {
    assert.throws(() => memberPath(name, DEFAULT_LIMITS), {code: 'ENVS_ARCHIVE_REFUSED'})
  })
}

for (const [what, swapped] of [
  ['folder', 'sub'],
  ['file', 'file'],
] as const) {
  test(`a ${what} that is swapped for a link while it is read is a link in the copy`, async (t) => {
    const folder = await temporaryFolder(t)
    const [tree, outside] = [join(folder, 'tree'), join(folder, 'outside')]
    await mkdir(join(tree, 'sub'), {recursive: true})
    await mkdir(outside)
    await writeFile(join(outside, 'file'), 'secret')
    await writeFile(join(tree, 'file'), 'open')
    const seen: string[] = []
    let text = ''
    let hasSwapped = false
    await readPlain(tree, undefined, {
      sink: {
        begin: ({kind, name}) => void seen.push(`${kind} ${name}`),
        data(bytes) {
          text += bytes.toString()
        },
        end: () => {},
      },
      // After the names in the folder were read.
      async pace() {
        if (seen.length === 0 || hasSwapped) return
        hasSwapped = true
        await rename(join(tree, swapped), join(folder, 'moved'))
        await symlink(swapped === 'sub' ? outside : join(outside, 'file'), join(tree, swapped))
      },
      onSkipped: () => {},
    })
    assert.ok(seen.includes(`symlink ${swapped}`), seen.join())
    assert.equal(text, swapped === 'sub' ? 'open' : '')
  })
}
