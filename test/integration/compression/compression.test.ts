import assert from 'node:assert/strict'
import {closeSync, openSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import * as zlib from 'node:zlib'
import {type Compression, openArchiveInput} from '../../../src/compression/input.js'
import {extractTree} from '../../../src/rootfs/extract.js'
import {compressed, missingCompressor, noise} from '../../support/compressed.js'
import {type Arena, extractionArena, which} from '../../support/extraction.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'

const CORRUPT = {code: 'ENVS_ARCHIVE_CORRUPT', exitCode: 6}
const CONTENT = noise(700_000)
const TAR = tarArchive(tarMember({data: CONTENT, name: 'noise'}))
const nothing = () => undefined

type Reader = {
  readonly what: string
  readonly format: Compression
  readonly which: (program: string) => string | undefined
  /** Plain tar has no sum over the data, and zstd in JavaScript does not look at the one there is. */
  readonly findsFlippedData: boolean
}

const READERS: readonly Reader[] = [
  {findsFlippedData: false, format: 'none', what: 'plain tar', which: nothing},
  {findsFlippedData: true, format: 'gzip', what: 'gzip', which: nothing},
  {findsFlippedData: true, format: 'xz', what: "xz by the host's program", which},
  {findsFlippedData: true, format: 'xz', what: 'xz without a program', which: nothing},
  {findsFlippedData: true, format: 'zstd', what: "zstd by the host's program", which},
  {
    findsFlippedData: 'createZstdDecompress' in zlib,
    format: 'zstd',
    what: 'zstd without a program',
    which: nothing,
  },
  {findsFlippedData: true, format: 'bzip2', what: 'bzip2', which},
]

for (const reader of READERS) {
  const skip = missingCompressor(reader.format)
  const archive = skip === false ? compressed(reader.format, TAR) : TAR

  test(`${reader.what}: a whole archive is read`, {skip}, async (t) => {
    const arena = await extractionArena(t)
    const report = await arena.extract(archive, {which: reader.which})
    assert.equal(report.compression, reader.format)
    assert.ok(readFileSync(join(arena.root, 'noise')).equals(CONTENT))
  })

  test(`${reader.what}: a whole archive is read from a file`, {skip}, async (t) => {
    const arena = await extractionArena(t)
    await extractFile(t, arena, archive, reader)
    assert.ok(readFileSync(join(arena.root, 'noise')).equals(CONTENT))
  })

  for (const part of [0.05, 0.5, 0.95]) {
    test(`${reader.what}: an archive cut at ${part} of its length is damaged`, {skip}, async (t) => {
      const arena = await extractionArena(t)
      const cut = archive.subarray(0, Math.floor(archive.length * part))
      await assert.rejects(arena.extract(cut, {which: reader.which}), CORRUPT)
    })
  }

  test(`${reader.what}: an archive that misses its last byte is damaged`, {skip}, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(arena.extract(archive.subarray(0, -1), {which: reader.which}), CORRUPT)
  })

  test(`${reader.what}: a file cut in half is damaged`, {skip}, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(extractFile(t, arena, archive.subarray(0, archive.length / 2), reader), CORRUPT)
  })

  for (const garbage of ['x', 'garbage that is longer than any trailer\n']) {
    test(`${reader.what}: ${garbage.length} bytes behind the archive are an error`, {skip}, async (t) => {
      const arena = await extractionArena(t)
      const longer = Buffer.concat([archive, Buffer.from(garbage)])
      await assert.rejects(arena.extract(longer, {which: reader.which}), CORRUPT)
    })

    test(`${reader.what}: ${garbage.length} bytes behind the archive in a file are an error`, {
      skip,
    }, async (t) => {
      const arena = await extractionArena(t)
      const longer = Buffer.concat([archive, Buffer.from(garbage)])
      await assert.rejects(extractFile(t, arena, longer, reader), CORRUPT)
    })
  }

  if (reader.findsFlippedData) {
    test(`${reader.what}: one flipped bit in the middle is found`, {skip}, async (t) => {
      const arena = await extractionArena(t)
      const flipped = Buffer.from(archive)
      const middle = Math.floor(flipped.length / 2)
      flipped.writeUInt8(flipped.readUInt8(middle) ^ 4, middle)
      await assert.rejects(arena.extract(flipped, {which: reader.which}), CORRUPT)
    })
  }

  if (reader.format !== 'none') {
    test(`${reader.what}: an archive compressed in two parts is read`, {skip}, async (t) => {
      const arena = await extractionArena(t)
      const parts = [TAR.subarray(0, 300_000), TAR.subarray(300_000)].map((part) =>
        compressed(reader.format, part),
      )
      await arena.extract(Buffer.concat(parts), {which: reader.which})
      assert.ok(readFileSync(join(arena.root, 'noise')).equals(CONTENT))
    })
  }
}

test('gzip: zeros behind the archive are padding', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(Buffer.concat([zlib.gzipSync(TAR), Buffer.alloc(70_000)]))
  assert.ok(readFileSync(join(arena.root, 'noise')).equals(CONTENT))
})

test('gzip: something behind the padding is an error', async (t) => {
  const arena = await extractionArena(t)
  const archive = Buffer.concat([zlib.gzipSync(TAR), Buffer.alloc(70_000), Buffer.from('x')])
  await assert.rejects(arena.extract(archive), CORRUPT)
})

test('zstd: a skippable frame in front is skipped', {skip: missingCompressor('zstd')}, async (t) => {
  const frame = Buffer.from('502a4d180400000001020304', 'hex')
  for (const reader of [which, nothing]) {
    const arena = await extractionArena(t)
    await arena.extract(Buffer.concat([frame, compressed('zstd', TAR)]), {which: reader})
    assert.ok(readFileSync(join(arena.root, 'noise')).equals(CONTENT))
  }
})

for (const [what, ...options] of [
  ['a SHA-256 check', '--check=sha256'],
  ['a processor filter', '--x86', '--lzma2=preset=1'],
  ['a dictionary of 128 MiB', '--lzma2=preset=1,dict=128MiB'],
] as const) {
  test(`xz: an archive with ${what} needs the program, and says so`, {
    skip: missingCompressor('xz'),
  }, async (t) => {
    const arena = await extractionArena(t)
    const archive = compressed('xz', TAR, ...options)
    await assert.rejects(arena.extract(archive, {which: nothing}), {code: 'ENVS_TOOL_MISSING', exitCode: 7})
  })
}

test('bzip2: a host without a decompressor is told which package holds one', async (t) => {
  const arena = await extractionArena(t)
  const archive = Buffer.from('BZh91AY&SY and whatever follows', 'latin1')
  await assert.rejects(arena.extract(archive, {which: nothing}), {
    code: 'ENVS_TOOL_MISSING',
    exitCode: 7,
    suggestions: ['Ask an administrator to install the package bzip2, which holds bzip2.'],
  })
})

for (const [what, bytes] of [
  ['nothing at all', Buffer.alloc(0)],
  ['a text', Buffer.from('<html>404</html>'.repeat(100))],
  ['a zip', Buffer.from(`PK\x03\x04${'x'.repeat(1000)}`, 'latin1')],
] as const) {
  test(`${what} is no archive`, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(arena.extract(bytes), {code: 'ENVS_ARCHIVE_UNKNOWN', exitCode: 6})
  })
}

test('an archive of zeros only holds nothing', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(arena.extract(Buffer.alloc(10_240)), CORRUPT)
})

test('a source that fails is reported as itself', async (t) => {
  const arena = await extractionArena(t)
  const failure = new Error('the network is gone')
  async function* failing() {
    yield zlib.gzipSync(TAR).subarray(0, 100_000)
    throw failure
  }
  const input = {bytes: failing(), start: zlib.gzipSync(TAR).subarray(0, 512)}
  await assert.rejects(
    extractTree(input, arena.root, {owners: 'caller', which, architecture: 'amd64'}),
    failure,
  )
})

async function extractFile(t: TestContext, arena: Arena, archive: Buffer, reader: Reader): Promise<void> {
  const path = join(arena.outside, 'archive')
  writeFileSync(path, archive)
  const fd = openSync(path, 'r')
  t.after(() => closeSync(fd))
  await extractTree(await openArchiveInput(fd), arena.root, {
    owners: 'caller',
    which: reader.which,
    architecture: 'amd64',
  })
}
