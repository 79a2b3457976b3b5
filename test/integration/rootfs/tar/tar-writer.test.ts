import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {DEFAULT_LIMITS} from '../../../../src/rootfs/limits.js'
import type {Member, Segment} from '../../../../src/rootfs/tar/member.js'
import {readTar} from '../../../../src/rootfs/tar/reader.js'
import {openTarWriter, type TarWriter} from '../../../../src/rootfs/tar/writer.js'
import {treeFolder} from '../../../support/extraction.js'
import {EVERYTHING, fillSampleTree} from '../../../support/sample-tree.js'
import {treeSnapshot} from '../../../support/tree-snapshot.js'

for (const [what, options] of [
  ['pax', ['--format=pax', '--sparse']],
  ['GNU', ['--format=gnu', '--sparse']],
  ['pax without holes', ['--format=pax']],
] as const) {
  test(`what was read from a ${what} archive is written so that GNU tar gives the same tree`, async (t) => {
    const archive = await sample(t, options)
    const rewritten = await rewrite(t, archive)
    assert.deepEqual(treeSnapshot(await extracted(t, rewritten)), treeSnapshot(await extracted(t, archive)))
  })
}

test('holes are written as holes', async (t) => {
  const archive = await sample(t, ['--format=pax', '--sparse'])
  const rewritten = await rewrite(t, archive)
  assert.ok((await readFile(rewritten)).length < 1.1 * (await readFile(archive)).length)
})

const COMMON = {mode: 0o640, uid: 0, gid: 0, modified: '0'}

for (const [what, member, line] of [
  [
    'owners past seven octal digits',
    {...COMMON, kind: 'folder', name: './a/', uid: 4_294_967_294, gid: 2_097_152},
    'drw-r----- 4294967294/2097152 0 1970-01-01 00:00 ./a/',
  ],
  [
    'a block device',
    {...COMMON, kind: 'device', name: './sda', device: {type: 'block', major: 8, minor: 17}},
    'brw-r----- 0/0 8,17 1970-01-01 00:00 ./sda',
  ],
  [
    'a character device',
    {...COMMON, kind: 'device', name: './null', mode: 0o666, device: {type: 'char', major: 1, minor: 3}},
    'crw-rw-rw- 0/0 1,3 1970-01-01 00:00 ./null',
  ],
  [
    'a time before 1970',
    {...COMMON, kind: 'fifo', name: './f', modified: '-86400'},
    'prw-r----- 0/0 0 1969-12-31 00:00 ./f',
  ],
  [
    'a time past 2242',
    {...COMMON, kind: 'fifo', name: './f', modified: '9000000000'},
    'prw-r----- 0/0 0 2255-03-14 16:00 ./f',
  ],
  [
    'a long name and a long target',
    {...COMMON, kind: 'symlink', mode: 0o777, name: `./${'n'.repeat(150)}`, target: 't'.repeat(101)},
    `lrwxrwxrwx 0/0 0 1970-01-01 00:00 ./${'n'.repeat(150)} -> ${'t'.repeat(101)}`,
  ],
  [
    'special permissions',
    {...COMMON, kind: 'folder', name: './d/', mode: 0o7755},
    'drwsr-sr-t 0/0 0 1970-01-01 00:00 ./d/',
  ],
] as const) {
  test(`GNU tar reads ${what}`, async (t) => {
    const archive = await written(t, (writer) => writer.begin(member))
    const {stdout, stderr} = await capture(['tar', '--numeric-owner', '-tvvf', archive], {
      env: {PATH: process.env['PATH'], TZ: 'UTC'},
    })
    assert.deepEqual([stdout.trim().replace(/ +/g, ' '), stderr], [line, ''])
  })
}

test('a capability is an attribute by its usual name', async (t) => {
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const archive = await written(t, (writer) => {
    writer.begin({...COMMON, kind: 'file', name: './ping', sizeBytes: 0, storedBytes: 0, capability})
    writer.end()
  })
  const {stdout} = await capture(['tar', '--xattrs', '--xattrs-include=*', '-tvvf', archive])
  assert.match(stdout, /x: 20 security\.capability/)
  assert.deepEqual((await members(archive))[0], {
    ...COMMON,
    kind: 'file',
    name: './ping',
    sizeBytes: 0,
    storedBytes: 0,
    capability,
  })
})

test('a file of more pieces than a reader takes is written without its holes', async (t) => {
  const segments: Segment[] = Array.from({length: 20_001}, (_, index) => ({
    offset: index * 1000,
    sizeBytes: 1,
  }))
  const sizeBytes = 20_001_000
  const archive = await written(t, (writer) => {
    const stored = {sizeBytes, storedBytes: segments.length, segments, capability: undefined}
    writer.begin({...COMMON, kind: 'file', name: './fragments', ...stored})
    for (const {offset} of segments) writer.data(Buffer.from('x'), offset)
    writer.end()
  })
  const [member] = await members(archive)
  assert.ok(member?.kind === 'file')
  assert.deepEqual([member.sizeBytes, member.storedBytes, member.segments], [sizeBytes, sizeBytes, undefined])
  const {stdout} = await capture(['sh', '-c', 'tar -xOf "$0" ./fragments | tr -d "\\0" | wc -c', archive])
  assert.equal(Number(stdout), segments.length)
})

test('a comment on the archive comes first and is no member', async (t) => {
  const archive = await written(t, (writer) => {
    writer.comment('by hand')
    writer.begin({...COMMON, kind: 'folder', name: './'})
  })
  assert.match((await readFile(archive)).toString('latin1', 512, 600), /^\d+ comment=by hand\n/)
  assert.equal((await members(archive)).length, 1)
})

async function sample(t: TestContext, options: readonly string[]): Promise<string> {
  const folder = await treeFolder(t)
  const [tree, archive] = [join(folder, 'tree'), join(folder, 'archive.tar')]
  await mkdir(tree)
  await fillSampleTree(tree, EVERYTHING)
  const {status, stderr} = await capture(['tar', '-cf', archive, '-C', tree, ...options, '.'])
  assert.equal(status, 0, stderr)
  return archive
}

async function extracted(t: TestContext, archive: string): Promise<string> {
  const folder = await treeFolder(t)
  const {status, stderr} = await capture(['tar', '--warning=no-timestamp', '-xpf', archive, '-C', folder])
  assert.deepEqual([status, stderr], [0, ''])
  return folder
}

async function rewrite(t: TestContext, archive: string): Promise<string> {
  return written(t, (writer) => readTar(bytesOf(archive), writer, DEFAULT_LIMITS))
}

async function written(t: TestContext, write: (writer: TarWriter) => void | Promise<void>): Promise<string> {
  const pieces: Buffer[] = []
  const writer = openTarWriter((bytes) => pieces.push(Buffer.from(bytes)))
  await write(writer)
  writer.finish()
  const path = join(await treeFolder(t), 'written.tar')
  await writeFile(path, Buffer.concat(pieces))
  return path
}

async function members(archive: string): Promise<Member[]> {
  const found: Member[] = []
  const sink = {begin: (member: Member) => void found.push(member), data: () => {}, end: () => {}}
  await readTar(bytesOf(archive), sink, DEFAULT_LIMITS)
  return found
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  yield await readFile(path)
}
