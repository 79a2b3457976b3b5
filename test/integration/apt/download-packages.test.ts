import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {mkdir, readdir, readFile, rename, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {downloadPackages} from '../../../src/apt/download.js'
import {openFetchFolder} from '../../../src/apt/fetch-folder.js'
import {planPackages} from '../../../src/apt/plan.js'
import {sha256OfFile} from '../../../src/host/digest.js'
import {openArchive, pathWith} from '../../support/archive.js'
import {clientOf, TRIXIE} from '../../support/archive-context.js'
import {startForwardProxy} from '../../support/forward-proxy.js'
import {sourceProgram} from '../../support/source-program.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {waitUntil} from '../../support/wait-until.js'

const MANY = Array.from({length: 20}, (_, number) => ({
  name: `package-${number}`,
  priority: 'required' as const,
  files: {[`usr/share/${number}`]: String(number).repeat(5000 * (number + 1))},
}))

async function givenPlan(t: Parameters<typeof openArchive>[0]) {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    packages: [...MANY, {name: 'apt'}],
  })
  const client = await clientOf(t, archive)
  const plan = await planPackages(TRIXIE, client.context)
  const fetched = () => archive.requested().filter((path) => path.endsWith('.deb'))
  const shared = join(client.context.paths.packages, 'sha256')
  return {archive, plan, fetched, shared, ...client}
}

async function take(downloads: Awaited<ReturnType<typeof downloadPackages>>): Promise<string[]> {
  const taken: string[] = []
  for await (const {package: each, path} of downloads) {
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    assert.equal(digest, each.sha256)
    taken.push(each.name)
  }
  return taken
}

test('all packages come, whole and once; then environments share them, and nothing else is left', async (t) => {
  const {plan, fetched, context, events, shared} = await givenPlan(t)
  const downloads = await downloadPackages(plan, context)
  const taken = await take(downloads)
  assert.deepEqual(taken.sort(), plan.packages.map(({name}) => name).sort())
  assert.equal(new Set(fetched()).size, 21)
  await downloads.close()
  assert.deepEqual((await readdir(shared)).sort(), plan.packages.map(({sha256}) => sha256).sort())
  assert.deepEqual(await readdir(context.paths.packages), ['sha256'])
  const totalBytes = plan.packages.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
  assert.deepEqual(events.at(-1), {
    stage: 'packages',
    receivedBytes: totalBytes,
    totalBytes,
    receivedCount: 21,
    totalCount: 21,
  })
})

test('what environments share is not asked for again', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  const first = await downloadPackages(plan, context)
  await take(first)
  await first.close()
  archive.cut()
  const second = await downloadPackages(plan, context)
  assert.equal((await take(second)).length, 21)
  await second.close()
})

test('connections are used again', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  const ports = new Set<number | undefined>()
  for (const {url} of plan.packages) {
    const path = url.pathname.slice(1)
    archive.answerNext(path, (request, response) => {
      ports.add(request.socket.remotePort)
      response.end(archive.files.get(path))
    })
  }
  const downloads = await downloadPackages(plan, context)
  assert.equal((await take(downloads)).length, 21)
  await downloads.close()
  assert.ok(ports.size <= 8, String(ports.size))
})

test('a connection that breaks is gone on with where it broke', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  const path = pathWith(archive, 'package-19_')
  const body = archive.files.get(path) ?? Buffer.alloc(0)
  archive.answerNext(path, (_, response) => {
    response.writeHead(200, {'content-length': body.length})
    response.write(body.subarray(0, 100), () => setTimeout(() => response.destroy(), 100))
  })
  const downloads = await downloadPackages(plan, context)
  assert.equal((await take(downloads)).length, 21)
  await downloads.close()
  const ranges = archive.server.seen.flatMap(({target, headers}) =>
    target?.slice(1) === path ? [headers['range']] : [],
  )
  assert.deepEqual(ranges, [undefined, 'bytes=100-'])
})

test('closed before its end, it keeps what was whole and leaves nothing half', async (t) => {
  const {archive, plan, context, shared} = await givenPlan(t)
  const slow = pathWith(archive, 'package-19_')
  archive.answerNext(slow, (_, response) => {
    response.writeHead(200, {'content-length': archive.files.get(slow)?.length}).write('begun')
  })
  const downloads = await downloadPackages(plan, context)
  let count = 0
  for await (const _ of downloads) if (++count === 20) break
  await downloads.close()
  assert.equal((await readdir(shared)).length, 20)
  assert.deepEqual(await readdir(context.paths.packages), ['sha256'])
})

test('an interruption ends it with its reason', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  const stop = new AbortController()
  const reason = new Error('Ctrl-C')
  archive.answerNext(pathWith(archive, 'package-19_'), () => stop.abort(reason))
  const downloads = await downloadPackages(plan, {...context, signal: stop.signal})
  await assert.rejects(take(downloads), reason)
  await downloads.close()
  assert.deepEqual(await readdir(context.paths.packages), ['sha256'])
})

test('what a killed run has left whole is taken up by the next, and the rest is removed', async (t) => {
  const {archive, plan, fetched, context} = await givenPlan(t)
  const [wanted] = plan.packages
  const left = join(context.paths.packages, '.fetch.0badcafe')
  await mkdir(left, {recursive: true})
  await writeFile(`${left}.lock`, '')
  const path = wanted?.url.pathname.slice(1) ?? ''
  await writeFile(join(left, wanted?.sha256 ?? ''), archive.files.get(path) ?? '')
  await writeFile(join(left, `${'0'.repeat(64)}.part`), 'half')
  const downloads = await downloadPackages(plan, context)
  assert.equal((await take(downloads)).length, 21)
  await downloads.close()
  assert.equal(fetched().includes(path), false)
  assert.deepEqual(await readdir(context.paths.packages), ['sha256'])
})

test('a run that was killed while it copied a package leaves the shared one as it was', async (t) => {
  const packages = await temporaryFolder(t)
  const shared = join(packages, 'sha256')
  await mkdir(shared)
  // Large enough that the copy is not over when the kill comes: its digest takes half a second.
  const sizeBytes = 1 << 28
  const made = join(packages, 'made')
  await writeFile(made, '')
  await truncate(made, sizeBytes)
  const signal = new AbortController().signal
  const sha256 = await sha256OfFile(made, {signal})
  await rename(made, join(shared, sha256))
  const [node = '', ...program] = sourceProgram('take-package')
  const run = spawn(node, [...program, packages, sha256, String(sizeBytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(run, 'close')
  await waitUntil('a package is being copied', async () => {
    const folder = (await readdir(packages)).find((name) => /^\.fetch\.[^.]+$/.test(name))
    return folder !== undefined && (await readdir(join(packages, folder))).length > 0
  })
  run.kill('SIGKILL')
  assert.deepEqual(await ended, [null, 'SIGKILL'])
  const next = await openFetchFolder({packages})
  await next.close([])
  assert.equal(await sha256OfFile(join(shared, sha256), {signal}), sha256)
  assert.deepEqual(await readdir(packages), ['sha256'])
})

test('two runs at once have a folder each', async (t) => {
  const {plan, context, shared} = await givenPlan(t)
  const both = await Promise.all([downloadPackages(plan, context), downloadPackages(plan, context)])
  assert.notEqual(both[0].folder, both[1].folder)
  const taken = await Promise.all(both.map(take))
  assert.deepEqual(
    taken.map((names) => names.length),
    [21, 21],
  )
  await Promise.all(both.map((each) => each.close()))
  assert.equal((await readdir(shared)).length, 21)
})

test('a package that is gone from the mirror is told by its name and its place', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  archive.files.delete(pathWith(archive, 'apt_1.0-1'))
  const downloads = await downloadPackages(plan, context)
  await assert.rejects(take(downloads), {
    code: 'ENVS_PACKAGE_MISSING',
    exitCode: 5,
    message:
      /^The package apt is not at http:\/\/127\.0\.0\.1:\d+\/debian\/pool\/main\/a\/apt\/apt_1\.0-1_amd64\.deb,/,
  })
  await downloads.close()
})

test('a mirror that breaks every connection is told with the package', async (t) => {
  const {archive, plan, context} = await givenPlan(t)
  archive.cut()
  const downloads = await downloadPackages(plan, context)
  await assert.rejects(take(downloads), {
    code: 'ENVS_ARCHIVE_UNREACHABLE',
    exitCode: 5,
    message:
      /^Could not download the package [a-z0-9-]+ from http:.*\.deb: the connection broke, in the last of 6 attempts\.$/,
  })
  await downloads.close()
})

test('packages come through a proxy too', async (t) => {
  const {plan, context} = await givenPlan(t)
  const proxy = await startForwardProxy(t)
  const downloads = await downloadPackages(plan, {...context, environment: {http_proxy: proxy.url.href}})
  assert.equal((await take(downloads)).length, 21)
  await downloads.close()
  assert.deepEqual([...proxy.lines].sort(), plan.packages.map(({url}) => `GET ${url}`).sort())
})
