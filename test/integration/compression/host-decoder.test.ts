import assert from 'node:assert/strict'
import {chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Compression} from '../../../src/compression/input.js'
import {extractRootfs} from '../../../src/rootfs/worker/api.js'
import {compressed, missingCompressor, noise} from '../../support/compressed.js'
import {extractionArena} from '../../support/extraction.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {BARE} from '../../support/tree-process.js'

const CORRUPT = {code: 'ENVS_ARCHIVE_CORRUPT', exitCode: 6}
const CONTENT = noise(700_000)
const TAR = tarArchive(tarMember({data: CONTENT, name: 'noise'}))
const FORMATS: readonly Compression[] = ['xz', 'zstd', 'bzip2']

for (const format of FORMATS) {
  const skip = missingCompressor(format)
  const archive = skip === false ? compressed(format, TAR) : TAR
  const half = archive.subarray(0, archive.length / 2)

  test(`${format}: a file is decoded beside the worker`, {skip}, async (t) => {
    const {root, report} = await extractFile(t, archive)
    assert.equal(report.compression, format)
    assert.ok(readFileSync(join(root, 'noise')).equals(CONTENT))
  })

  test(`${format}: a file compressed in two parts is decoded beside the worker`, {skip}, async (t) => {
    const parts = [TAR.subarray(0, 300_000), TAR.subarray(300_000)].map((part) => compressed(format, part))
    const {root} = await extractFile(t, Buffer.concat(parts))
    assert.ok(readFileSync(join(root, 'noise')).equals(CONTENT))
  })

  for (const [what, bytes] of [
    ['cut in half', half],
    ['without its last byte', archive.subarray(0, -1)],
    ['with one byte behind it', Buffer.concat([archive, Buffer.from('x')])],
    ['with a line behind it', Buffer.concat([archive, Buffer.from('garbage longer than a trailer\n')])],
  ] as const) {
    test(`${format}: a file ${what}, decoded beside the worker, is damaged`, {skip}, async (t) => {
      await assert.rejects(extractFile(t, bytes), CORRUPT)
    })
  }
}

test('a decoder that a signal ended says nothing of the archive', async (t) => {
  await assert.rejects(extractFile(t, compressed('xz', TAR), {xz: 'kill -SEGV $$'}), {
    code: 'ENVS_TOOL_KILLED',
    exitCode: 7,
    message: 'xz(1) did not finish: SIGSEGV ended it.',
  })
})

test('a decoder that ends well before its time leaves an archive that was cut short', async (t) => {
  await assert.rejects(extractFile(t, compressed('xz', TAR), {xz: 'exit 0'}), CORRUPT)
})

/** @param fakes - Shell scripts that stand before the host's programs of these names. */
async function extractFile(t: TestContext, archive: Buffer, fakes: Readonly<Record<string, string>> = {}) {
  const {outside, root} = await extractionArena(t)
  const programs = join(outside, 'bin')
  mkdirSync(programs)
  for (const [name, script] of Object.entries(fakes)) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(programs, name), 0o755)
  }
  const path = join(outside, 'archive')
  writeFileSync(path, archive)
  const fd = openSync(path, 'r')
  t.after(() => closeSync(fd))
  const environment = {PATH: `${programs}:${BARE.environment['PATH'] ?? ''}`}
  return {root, report: await extractRootfs({...BARE, environment}, {fd}, {owners: 'caller', root})}
}
