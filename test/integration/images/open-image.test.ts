import assert from 'node:assert/strict'
import {execFileSync, spawn} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {appendFile, mkdir, readdir, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../../src/errors.js'
import type {Sha256} from '../../../src/host/digest.js'
import type {OpenedTarballs} from '../../../src/images/opened-image.js'
import {digestOf} from '../../support/download.js'
import {type OpenReferenceOptions, openReference} from '../../support/open-image.js'
import {systemError} from '../../support/system-error.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const BYTES = randomBytes(3_000_000)
const OTHER = digestOf(Buffer.from('another file'))

test('a file is handed on as a descriptor at its start, and its digest is made beside', async (t) => {
  const {open, folder} = await givenFile(t)
  const image = await open('./rootfs.tar')
  assert.equal(image.source, join(folder, 'rootfs.tar'))
  assert.equal(image.layers[0].sizeBytes, 3_000_000)
  assert.deepEqual(await readByChild(image), BYTES)
  assert.deepEqual(await image.verify(), evidence('unverified'))
})

test('a file of the digest asked for is vouched for by it', async (t) => {
  const {open} = await givenFile(t)
  const image = await open('./rootfs.tar', {sha256: digestOf(BYTES)})
  assert.deepEqual(await image.verify(), evidence('digest'))
})

test('a file of another digest fails verification', async (t) => {
  const {open, folder} = await givenFile(t)
  const image = await open('./rootfs.tar', {sha256: OTHER})
  await assert.rejects(image.verify(), {
    name: 'DigestMismatchError',
    exitCode: ExitCode.integrity,
    message: `The SHA-256 digest of ${join(folder, 'rootfs.tar')} is ${digestOf(BYTES)}, not ${OTHER}.`,
  })
})

test('a file that was written to while it was read fails verification', async (t) => {
  const {open, folder} = await givenFile(t)
  const image = await open('./rootfs.tar')
  await readByChild(image)
  await appendFile(join(folder, 'rootfs.tar'), 'more')
  await assert.rejects(image.verify(), {code: 'ENVS_IMAGE_CHANGED', exitCode: ExitCode.integrity})
})

test('a file put in the place of the opened one changes nothing', async (t) => {
  const {open, folder} = await givenFile(t)
  const image = await open('./rootfs.tar')
  assert('fd' in image.layers[0].bytes)
  await rm(join(folder, 'rootfs.tar'))
  await writeFile(join(folder, 'rootfs.tar'), 'another')
  assert.deepEqual(await readByChild(image), BYTES)
})

test('an image may be closed before it was read, and twice', async (t) => {
  const {open} = await givenFile(t)
  const image = await open('./rootfs.tar')
  await Promise.all([image.close(), image.close()])
})

test('a FIFO is read as a stream', async (t) => {
  const {open, folder} = await givenFile(t)
  execFileSync('mkfifo', [join(folder, 'fifo')])
  const image = await open('./fifo')
  const writer = spawn('cp', ['rootfs.tar', 'fifo'], {cwd: folder})
  t.after(() => writer.kill())
  assert(image.layers[0].bytes instanceof Readable)
  assert.deepEqual(await buffer(image.layers[0].bytes), BYTES)
  assert.deepEqual(await image.verify(), evidence('unverified'))
})

test('a FIFO nobody writes to can be let go of', {timeout: 5000}, async (t) => {
  const {open, folder} = await givenFile(t)
  execFileSync('mkfifo', [join(folder, 'fifo')])
  const image = await open('./fifo')
  await image.close()
})

for (const [reference, code, exitCode] of [
  ['./missing.tar', 'ENVS_IMAGE_NOT_FOUND', ExitCode.notFound],
  ['./rootfs.tar/below', 'ENVS_IMAGE_NOT_FOUND', ExitCode.notFound],
  ['./folder', 'ENVS_NOT_AN_IMAGE_FILE', ExitCode.usage],
  ['/dev/null', 'ENVS_NOT_AN_IMAGE_FILE', ExitCode.usage],
] as const) {
  test(`${reference} is refused with ${code}`, async (t) => {
    const {open, folder} = await givenFile(t)
    await mkdir(join(folder, 'folder'))
    await assert.rejects(open(reference), {code, exitCode})
  })
}

test('standard input passes through and its digest is of all of it', async (t) => {
  const {open} = await givenFile(t)
  const image = await open('-', {standardInput: Readable.from([BYTES.subarray(0, 9), BYTES.subarray(9)])})
  assert.equal(image.source, '-')
  assert.equal(image.layers[0].sizeBytes, undefined)
  assert(image.layers[0].bytes instanceof Readable)
  assert.deepEqual(await buffer(image.layers[0].bytes), BYTES)
  assert.deepEqual(await image.verify(), evidence('unverified'))
})

test('what a reader left of standard input is in the digest too', async (t) => {
  const {open} = await givenFile(t)
  const pieces = [BYTES.subarray(0, 1000), BYTES.subarray(1000)]
  const image = await open('-', {standardInput: Readable.from(pieces), sha256: digestOf(BYTES)})
  const [{bytes}] = image.layers
  assert(bytes instanceof Readable)
  await once(bytes, 'readable')
  bytes.read(10)
  assert.deepEqual(await image.verify(), evidence('digest'))
})

test('standard input that fails is an error of reading', async (t) => {
  const {open} = await givenFile(t)
  const failing = new Readable({
    read() {
      this.destroy(systemError('EIO'))
    },
  })
  const image = await open('-', {standardInput: failing})
  await assert.rejects(image.verify(), {
    code: 'ENVS_IMAGE_UNREADABLE',
    message: 'Could not read the image "-": i/o error.',
  })
})

test('a terminal is no image', async (t) => {
  const {open} = await givenFile(t)
  await assert.rejects(open('-', {standardInput: Object.assign(Readable.from([]), {isTTY: true})}), {
    code: 'ENVS_NOT_AN_IMAGE_FILE',
    message: 'Could not read standard input as an image: it is a terminal.',
  })
})

for (const [reference, suggestion] of [
  ['rootfs.tar', 'To use the file with that name, write ./rootfs.tar'],
  ['missing.tar', 'To use a file, give its path, such as ./missing.tar; there is no such file here.'],
] as const) {
  test(`the name ${reference} is unknown, and the way out is told`, async (t) => {
    const {open} = await givenFile(t)
    await assert.rejects(open(reference), {
      name: 'UnknownImageError',
      exitCode: ExitCode.notFound,
      message: `There is no image named "${reference}".`,
      suggestions: [suggestion],
    })
  })
}

test('opening a file makes no cache folder', async (t) => {
  const {open, folder} = await givenFile(t)
  await open('./rootfs.tar')
  assert.deepEqual(await readdir(folder), ['rootfs.tar'])
})

type Given = {
  readonly folder: string
  readonly open: (reference: string, options?: OpenReferenceOptions) => Promise<OpenedTarballs>
}

/** A folder with `rootfs.tar` in it, as the working folder; what is opened is closed with the test. */
async function givenFile(t: TestContext): Promise<Given> {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'rootfs.tar'), BYTES)
  return {
    folder,
    async open(text, options = {}) {
      const image = await openReference(text, folder, options)
      t.after(() => image.close())
      return image
    },
  }
}

function evidence(trust: 'digest' | 'unverified'): {sha256: Sha256; sizeBytes: number; trust: string} {
  return {sha256: digestOf(BYTES), sizeBytes: 3_000_000, trust}
}

/** Reads the descriptor as an extractor does: as a child's standard input. */
async function readByChild({layers}: OpenedTarballs): Promise<Buffer> {
  const [{bytes}] = layers
  assert('fd' in bytes)
  const child = spawn('cat', [], {stdio: [bytes.fd, 'pipe', 'inherit']})
  assert(child.stdout !== null)
  return buffer(child.stdout)
}
