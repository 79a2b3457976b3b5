import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {PassThrough, Readable} from 'node:stream'
import {test} from 'node:test'
import {setTimeout as wait} from 'node:timers/promises'
import {gzipSync} from 'node:zlib'
import {applyFixes, extractRootfs, measureTrees, removeTree} from '../../../../src/rootfs/worker/api.js'
import {noise} from '../../../support/compressed.js'
import {extractionArena} from '../../../support/extraction.js'
import {file, paxHeader, tarArchive, tarMember} from '../../../support/tar-archive.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'
import {BARE, processesWith} from '../../../support/tree-process.js'
import {waitUntil} from '../../../support/wait-until.js'

const isRoot = process.getuid?.() === 0

const SMALL = tarArchive(
  tarMember({mode: 0o755, name: 'etc', type: '5', uid: 7}),
  tarMember({data: 'hello', name: 'etc/issue', gid: 8}),
)

test('an archive given as a stream is extracted', async (t) => {
  const {root} = await extractionArena(t)
  const report = await extractRootfs(BARE, Readable.from([gzipSync(SMALL)]), {owners: 'caller', root})
  assert.deepEqual(report, {
    compression: 'gzip',
    entries: 2,
    fileCapabilities: 0,
    losses: {owners: 2, capabilities: 0, devices: 0, dropped: 0},
    skippedDevices: 0,
    squashedOwners: {count: 0, ids: []},
    totalBytes: 5,
  })
  assert.equal(readFileSync(join(root, 'etc/issue'), 'utf8'), 'hello')
})

test('an archive given as a descriptor is extracted, and the descriptor stays open', async (t) => {
  const {outside, root} = await extractionArena(t)
  writeFileSync(join(outside, 'archive'), SMALL)
  const fd = openSync(join(outside, 'archive'), 'r')
  const report = await extractRootfs(BARE, {fd}, {owners: 'caller', root})
  assert.equal(report.compression, 'none')
  closeSync(fd)
})

test('devices and capabilities are counted', async (t) => {
  const {root} = await extractionArena(t)
  const pax = paxHeader([['SCHILY.xattr.security.capability', '\x01\n']])
  const archive = tarArchive(
    tarMember({name: 'null', type: '3'}),
    tarMember({name: 'sda', type: '4'}),
    pax,
    file('ping'),
  )
  const report = await extractRootfs(BARE, Readable.from([archive]), {owners: 'caller', root})
  assert.deepEqual([report.skippedDevices, report.fileCapabilities, report.entries], [2, 1, 3])
})

test('an error of the worker arrives with its code, status and suggestions', async (t) => {
  const {root} = await extractionArena(t)
  await assert.rejects(
    extractRootfs(BARE, Readable.from([SMALL.subarray(0, 700)]), {owners: 'caller', root}),
    {
      code: 'ENVS_ARCHIVE_CORRUPT',
      exitCode: 6,
      message: 'The archive is damaged: it ends in the middle of a member.',
      name: 'WorkerFailure',
      suggestions: ['Fetch the archive again and compare its SHA-256 digest with the published one.'],
    },
  )
})

test('an archive that is refused long before its end is refused for what it is', async (t) => {
  const {root} = await extractionArena(t)
  const pieces = Array.from({length: 128}, () => noise(64 * 1024))
  const archive = Readable.from(pieces).pipe(new PassThrough())
  await assert.rejects(extractRootfs(BARE, archive, {owners: 'caller', root}), {
    code: 'ENVS_ARCHIVE_UNKNOWN',
    name: 'WorkerFailure',
  })
})

test('a source that fails rejects with its own error', async (t) => {
  const {root} = await extractionArena(t)
  const failure = new Error('connection lost')
  async function* failing() {
    yield SMALL.subarray(0, 600)
    throw failure
  }
  await assert.rejects(extractRootfs(BARE, Readable.from(failing()), {owners: 'caller', root}), failure)
})

/** An archive that goes on for as long as it is read. */
async function* endless() {
  for (let index = 0; ; index++) {
    yield tarMember({data: noise(20_000), name: `file-${index}`})
    await wait(5)
  }
}

test('an abort ends the worker before it rejects', async (t) => {
  const {root} = await extractionArena(t)
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const extraction = extractRootfs(
    BARE,
    Readable.from(endless()),
    {owners: 'caller', root},
    {
      onProgress: () => controller.abort(reason),
      signal: controller.signal,
    },
  )
  await assert.rejects(extraction, reason)
  assert.deepEqual(await processesWith(root), [])
})

test('a signal aborted before starts nothing', async (t) => {
  const {root} = await extractionArena(t)
  const reason = new Error('interrupted')
  await assert.rejects(removeTree(BARE, root, {signal: AbortSignal.abort(reason)}), reason)
  assert.ok(existsSync(root))
})

test('a worker that is killed is an error that says so', async (t) => {
  const {root} = await extractionArena(t)
  let killed = false
  const extraction = extractRootfs(
    BARE,
    Readable.from(endless()),
    {owners: 'caller', root},
    {
      onProgress() {
        if (killed) return
        killed = true
        void processesWith(root).then((pids) => {
          for (const pid of pids) process.kill(pid, 'SIGKILL')
        })
      },
    },
  )
  await assert.rejects(extraction, {
    code: 'ENVS_WORKER_DIED',
    exitCode: 7,
    message: 'The process that was to extract the root file system ended early, by SIGKILL.',
  })
})

test('a prefix that does not start the worker is an error that says so', async (t) => {
  const {root} = await extractionArena(t)
  await assert.rejects(measureTrees({...BARE, prefix: ['false']}, [root]), {
    code: 'ENVS_NO_NAMESPACE',
    message:
      'Could not measure the root file system: a program ended with status 1 before it was in the user namespace that owns the files.',
  })
})

test('an interrupt from the terminal does not end the worker', async (t) => {
  const {root} = await extractionArena(t)
  async function* slow() {
    yield SMALL.subarray(0, 512)
    while (!existsSync(join(root, 'etc'))) await wait(20)
    for (const pid of await processesWith(root)) process.kill(pid, 'SIGINT')
    await wait(100)
    yield SMALL.subarray(512)
  }
  const report = await extractRootfs(BARE, Readable.from(slow()), {owners: 'caller', root})
  assert.equal(report.entries, 2)
})

test('progress grows and comes at most ten times a second', async (t) => {
  const {root} = await extractionArena(t)
  const seen: number[] = []
  async function* aSecond() {
    for (let index = 0; index < 50; index++) {
      yield tarMember({data: 'x', name: `file-${index}`})
      await wait(20)
      // Else a busy machine could read all of it at once.
      await waitUntil('the worker to have begun', () => seen.length > 0)
    }
    yield Buffer.alloc(1024)
  }
  const begun = performance.now()
  const onProgress = ({entries}: {entries: number}) => void seen.push(entries)
  await extractRootfs(BARE, Readable.from(aSecond()), {owners: 'caller', root}, {onProgress})
  const elapsedMs = performance.now() - begun
  assert.ok(seen.length > 2)
  assert.ok(seen.length <= elapsedMs / 100 + 2, `${seen.length} in ${elapsedMs} ms`)
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  )
})

test('fixes run in the worker and name what they changed', async (t) => {
  const {root} = await extractionArena(t)
  const facts = TREE_FACTS
  assert.deepEqual((await applyFixes(BARE, {facts, only: ['hostname'], root})).changed, ['hostname'])
  assert.deepEqual((await applyFixes(BARE, {facts, only: ['hostname'], root})).changed, [])
})

test('trees are measured in the order of their paths', async (t) => {
  const {outside, root} = await extractionArena(t)
  mkdirSync(join(root, 'folder'))
  assert.deepEqual(await measureTrees(BARE, [join(outside, 'none'), root]), [0, allocatedBelow(root)])
})

for (const [host, environment] of [
  ['a host', BARE.environment],
  ['a host without du(1)', {PATH: '/nonexistent'}],
] as const) {
  test(`on ${host} a tree takes what is allocated, a file of two names once`, async (t) => {
    const {outside, root} = await extractionArena(t)
    mkdirSync(join(root, 'folder'))
    writeFileSync(join(root, 'folder/file'), Buffer.alloc(100_000, 'x'))
    const allocated = allocatedBelow(root)
    linkSync(join(root, 'folder/file'), join(root, 'second'))
    symlinkSync(outside, join(root, 'link'))
    assert.deepEqual(await measureTrees({...BARE, environment}, [root]), [allocated])
  })

  test(`on ${host} a tree that is not there takes nothing`, async (t) => {
    const {outside} = await extractionArena(t)
    assert.deepEqual(await measureTrees({...BARE, environment}, [join(outside, 'none')]), [0])
  })

  test(`on ${host} a tree takes what could be seen of it`, {
    skip: isRoot && 'root may read every folder',
  }, async (t) => {
    const {root} = await extractionArena(t)
    mkdirSync(join(root, 'closed/inside'), {recursive: true})
    mkdirSync(join(root, 'open'))
    const seen = allocatedBelow(root) - lstatSync(join(root, 'closed/inside')).blocks * 512
    chmodSync(join(root, 'closed'), 0)
    assert.deepEqual(await measureTrees({...BARE, environment}, [root]), [seen])
  })
}

/** Of a tree in which no file has two names. */
function allocatedBelow(root: string): number {
  const paths = [root, ...readdirSync(root, {recursive: true}).map((path) => join(root, String(path)))]
  return paths.reduce((sum, path) => sum + lstatSync(path).blocks * 512, 0)
}

for (const {title, environment} of [
  {title: 'a tree', environment: BARE.environment},
  {title: 'a tree of a host without rm(1)', environment: {PATH: '/nonexistent'}},
]) {
  test(`${title} is removed, with folders that are closed to their owner`, async (t) => {
    const {root} = await extractionArena(t)
    mkdirSync(join(root, 'closed/below'), {recursive: true})
    writeFileSync(join(root, 'closed/below/file'), 'x')
    chmodSync(join(root, 'closed/below'), 0)
    chmodSync(join(root, 'closed'), 0)
    assert.deepEqual(await removeTree({...BARE, environment}, root), {failures: []})
    assert.equal(existsSync(root), false)
  })
}
