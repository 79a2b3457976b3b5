import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {digestOf} from '../../support/download.js'
import {PLAIN} from '../../support/environment-cli.js'
import {imageCli} from '../../support/image-cli.js'
import {stalledAnswer} from '../../support/slow-answers.js'
import {LAST_MEMBER, tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

test('create focal fetches the signed image, and what it makes can be entered', async (t) => {
  const archive = await readFile(await debianRootfs())
  const {envs, servers} = await imageCli(t, archive)
  const created = await envs('create', 'focal')
  assert.equal(created.status, 0, created.stderr)
  assert.match(created.stderr, /From ubuntu:focal\/base 20\.04\.5, signed by /)
  const shown = JSON.parse((await envs('show', 'focal', '--json')).stdout)
  assert.deepEqual(
    [shown.image.trust, shown.image.signer.fingerprint, shown.image.sha256, shown.image.sizeBytes],
    ['signed', servers.signer.fingerprint, digestOf(archive), archive.length],
  )
  const run = await envs('run', 'focal', '--', 'sh', '-c', '. /etc/os-release; echo $ID')
  assert.equal(run.stdout, 'debian\n')
})

test('show tells who signed the image, when, and where it is from', async (t) => {
  const {envs, servers} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await envs('create', 'ubuntu:20.04', '--name', 'old')
  const {stdout} = await envs('show', 'old')
  assert.match(stdout, /^Image +ubuntu:focal\/base 20\.04\.5$/m)
  assert.match(stdout, new RegExp(`^Source +${servers.mirrors.ubuntuBase}/releases/.+\\.tar\\.gz$`, 'm'))
  assert.match(stdout, /^Trust +its digest is in a listing that its publisher signed$/m)
  assert.match(stdout, new RegExp(`^Signer +.+, ${servers.signer.fingerprint}$`, 'm'))
  assert.match(stdout, /^Signed +\d{4}-\d\d-\d\dT/m)
})

test('a second environment of the same image fetches nothing', async (t) => {
  const {envs, fetches} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await envs('create', 'focal')
  const run = await envs('create', 'focal', '--name', 'second')
  assert.equal(run.status, 0)
  assert.equal(fetches().length, 1)
})

test('create works without any network once the image is kept, and says so', async (t) => {
  const {envs, offline, cli} = await imageCli(t, (await tinyRootfs(t)).bytes, PLAIN)
  await envs('create', 'focal')
  const run = await offline('create', 'focal', '--name', 'second')
  assert.equal(run.status, 0)
  assert.match(run.stderr, /Used the kept image ubuntu:focal\/base 20\.04\.5, fetched /)
  assert.equal(run.stderr.match(/did not answer/g), null)
  assert.equal(await readFile(join(cli.root('second'), LAST_MEMBER), 'utf8'), 'data')
})

test('create without a network and without a kept image names the servers and the ways out', async (t) => {
  const {offline, cli} = await imageCli(t)
  const run = await offline('create', 'focal', '--json')
  assert.equal(run.status, 5)
  const {error} = JSON.parse(run.stdout)
  assert.equal(error.code, 'ENVS_SOURCES_UNREACHABLE')
  assert.match(error.message, /http:\/\/127\.0\.0\.1:1/)
  assert.match(error.suggestions.join('\n'), /envs image list/)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create refuses a listing that was changed, and makes nothing', async (t) => {
  const {envs, servers, cli, fetches} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await writeFile(
    join(servers.folder, 'ubuntu-base/releases/focal/release/SHA256SUMS'),
    `${'a'.repeat(64)} *ubuntu-base-20.04.5-base-amd64.tar.gz\n`,
  )
  const run = await envs('create', 'focal', '--json')
  assert.equal(run.status, 6)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_BAD_SIGNATURE')
  assert.equal(fetches().length, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

for (const [what, tamper] of [
  ['by a byte in its middle', (bytes: Buffer) => Buffer.from(bytes).fill(1, 5000, 5001)],
  ['for another archive', (bytes: Buffer) => Buffer.alloc(bytes.length, 'x')],
] as const) {
  test(`create refuses an archive that was changed ${what}, by its digest, and keeps nothing`, async (t) => {
    const {bytes} = await tinyRootfs(t, {files: 500})
    const {envs, servers, archivePath, cli, entries} = await imageCli(t, bytes)
    await writeFile(join(servers.folder, archivePath('20.04.5')), tamper(bytes))
    const run = await envs('create', 'focal', '--json')
    assert.equal(run.status, 6)
    assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_DIGEST_MISMATCH')
    assert.deepEqual(await cli.storeEntries(), [])
    assert.equal((await entries()).includes(digestOf(bytes)), false)
  })
}

test('create refuses a kept image that was changed, removes it and fetches it anew the next time', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t, {files: 500})
  const {envs, images, cli} = await imageCli(t, bytes)
  await envs('image', 'pull', 'focal')
  await writeFile(join(images, sha256, 'archive'), Buffer.from(bytes).fill(1, 5000, 5001))
  const run = await envs('create', 'focal', '--json')
  assert.equal(run.status, 6)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_KEPT_IMAGE_DAMAGED')
  assert.deepEqual(await cli.storeEntries(), [])
  assert.equal((await envs('create', 'focal')).status, 0)
})

test('create takes no image by a key that is not trusted', async (t) => {
  const {cli, servers} = await imageCli(t, (await tinyRootfs(t)).bytes)
  const env = {...servers.variables, ENVS_KEYRINGS: ''}
  const run = await cli.runWith({env}, 'create', 'focal', '--json')
  assert.equal(run.status, 6)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_UNKNOWN_SIGNER')
})

test('create points to the nearest name', async (t) => {
  const {envs} = await imageCli(t)
  const run = await envs('create', 'foacl')
  assert.equal(run.status, 3)
  assert.match(run.stderr, /There is no image named "foacl"\.\n +Did you mean focal\?\n/)
})

test('create extracts what has come while the rest still comes', async (t) => {
  const {bytes} = await tinyRootfs(t, {files: 2000})
  const {start, servers, archivePath, cli} = await imageCli(t, bytes, PLAIN)
  const stalled = stalledAnswer(bytes, {afterBytes: bytes.length - 1000})
  servers.answerOnce(archivePath('20.04.5'), stalled.answer)
  const create = start('create', 'focal')
  const isExtracted = async () => {
    const [partial = ''] = await cli.storeEntries()
    return existsSync(join(cli.store, partial, 'rootfs/usr/file-1000'))
  }
  await waitUntil('half of the archive is extracted', isExtracted)
  assert.deepEqual(
    (await cli.storeEntries()).filter((name) => !name.startsWith('.')),
    [],
  )
  stalled.goOn()
  assert.equal((await create.ended).status, 0)
})

test('create, interrupted while it extracts what it has fetched, says that the image is kept', async (t) => {
  const {cli, envs, start, fetches, entries} = await imageCli(
    t,
    (await tinyRootfs(t, {files: 3000})).bytes,
    PLAIN,
  )
  const run = start('create', 'focal', '--quiet')
  const isKept = async () => (await entries()).some((name) => !name.startsWith('.'))
  await waitUntil('the image is kept', isKept)
  run.signalLeader('SIGINT')
  const {status, stderr} = await run.ended
  const kept = 'The image is kept: the same command downloads nothing.'
  assert.deepEqual([status, stderr], [130, `envs: Interrupted by SIGINT.\n  ${kept}\n`])
  assert.deepEqual(await cli.storeEntries(), [])
  assert.equal((await envs('create', 'focal', '--quiet')).status, 0)
  assert.equal(fetches().length, 1)
})
