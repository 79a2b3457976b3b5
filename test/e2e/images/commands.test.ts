import assert from 'node:assert/strict'
import {test} from 'node:test'
import {digestOf} from '../../support/download.js'
import {imageCli} from '../../support/image-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('image pull keeps the image, and a second one finds it kept', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {envs, entries, fetches} = await imageCli(t, bytes)
  const first = await envs('image', 'pull', 'focal')
  assert.equal(first.stdout, `Fetched ubuntu:focal/base 20.04.5, sha256:${sha256}\n`)
  assert.deepEqual(await entries(), [sha256])
  const second = await envs('image', 'pull', 'focal')
  assert.equal(second.stdout, `Had ubuntu:focal/base 20.04.5, sha256:${sha256}\n`)
  assert.equal(fetches().length, 1)
})

test('image pull --dry-run tells which image it would be, and fetches nothing', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {envs, entries, fetches, servers} = await imageCli(t, bytes)
  const {stdout} = await envs('image', 'pull', 'focal', '--dry-run', '--json')
  const {name, version, signer, wasKept, dryRun, ...rest} = JSON.parse(stdout)
  assert.deepEqual(
    [name, version, rest.sha256, signer.fingerprint, wasKept, dryRun],
    ['ubuntu:focal/base', '20.04.5', sha256, servers.signer.fingerprint, false, true],
  )
  assert.equal(fetches().length, 0)
  assert.deepEqual(await entries(), [])
})

test('image pull takes no file', async (t) => {
  const {envs} = await imageCli(t)
  const run = await envs('image', 'pull', './rootfs.tar.gz')
  assert.equal(run.status, 2)
})

test('image pull fails without a network, though the image is kept', async (t) => {
  const {envs, offline} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await envs('image', 'pull', 'focal')
  assert.equal((await offline('image', 'pull', 'focal')).status, 5)
})

test('with --offline, no server is asked, and an image that is not kept is named', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {envs, servers, cli} = await imageCli(t, bytes)
  const tarball = new URL('rootfs.tar.gz', servers.server.origin).href
  const refused = async (...argv: string[]) => {
    const {status, stdout} = await envs(...argv, '--offline', '--json')
    return [status, JSON.parse(stdout).error.code]
  }
  for (const name of ['focal', 'lxc:alpine/3.22', 'debian:trixie', 'example.org/owner/tool:1']) {
    assert.deepEqual(await refused('image', 'pull', name), [3, 'ENVS_OFFLINE'])
    assert.deepEqual(await refused('create', name, '--name', 'no'), [3, 'ENVS_OFFLINE'])
  }
  assert.deepEqual(await refused('create', tarball, '--name', 'no'), [3, 'ENVS_OFFLINE'])
  const {status, stderr} = await envs('create', 'focal', '--offline', '-q')
  assert.deepEqual(
    [status, stderr.split('\n').slice(0, 2)],
    [
      3,
      [
        'envs: There is no complete image "ubuntu:focal" on this host, and no server is asked with --offline.',
        '  See the images on this host: envs image list',
      ],
    ],
  )
  const packages = await envs('try', 'focal', 'jq', '--offline', '--', 'true')
  assert.match(packages.stderr, /^envs: Packages cannot be installed with --offline: APT asks its servers\./m)
  const absent = await envs('try', 'focal', '--offline', '--', 'true')
  assert.match(absent.stderr, /^envs: There is no complete image "ubuntu:focal" on this host/m)
  assert.deepEqual(servers.server.seen, [])
  assert.deepEqual(await cli.storeEntries(), [])

  await envs('image', 'pull', 'focal')
  const before = servers.server.seen.length
  assert.equal(
    (await envs('image', 'pull', 'focal', '--offline')).stdout,
    `Had ubuntu:focal/base 20.04.5, sha256:${sha256}\n`,
  )
  const made = await envs('create', 'focal', '--offline')
  assert.equal(made.status, 0, made.stderr)
  assert.match(
    made.stderr,
    /^No server was asked, because of --offline\. Used the kept image ubuntu:focal\/base/m,
  )
  assert.equal(servers.server.seen.length, before)
})

test('image list shows what is kept, by whom it is signed and when it was used', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {envs, offline, servers} = await imageCli(t, bytes)
  await envs('image', 'pull', 'focal')
  const [title = '', row = ''] = (await offline('image', 'list')).stdout.split('\n')
  assert.match(title, /^NAME +VERSION +ARCH +SIZE +LAST USED +DIGEST +SIGNED +SIGNER +IN USE BY$/)
  assert.match(
    row,
    new RegExp(`^ubuntu:focal/base +20\\.04\\.5 .+ never +${sha256.slice(0, 12)} +just now +\\S`),
  )
  await envs('create', 'focal')
  const [image] = JSON.parse((await offline('images', '--json')).stdout)
  assert.deepEqual([image.sha256, image.sizeBytes], [sha256, bytes.length])
  assert.deepEqual(image.signer.fingerprint, servers.signer.fingerprint)
  assert(Date.now() - Date.parse(image.lastUsedAt) < 60_000)
  assert.equal((await offline('image', 'list', '--quiet')).stdout, `${sha256}\n`)
})

test('image show tells the source of an image, and asks no server', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {envs, offline, servers} = await imageCli(t, bytes)
  await envs('create', 'focal')
  const image = JSON.parse((await offline('image', 'show', 'focal', '--json')).stdout)
  assert.deepEqual(
    [image.name, image.source, image.sha256, image.trust, image.usedBy, image.layers, image.container],
    ['ubuntu:focal/base', 'ubuntu-base', sha256, 'signed', ['focal'], null, null],
  )
  const {stdout} = await offline('image', 'show', sha256.slice(0, 8))
  assert.match(stdout, /^Name +ubuntu:focal\/base 20\.04\.5$/m)
  assert.match(stdout, new RegExp(`^Signer +.*, ${servers.signer.fingerprint}$`, 'm'))
  assert.equal((await offline('image', 'show', 'jammy')).status, 3)
})

test('image list without an image says how to get one', async (t) => {
  const {envs} = await imageCli(t)
  const run = await envs('image', 'list')
  assert.deepEqual(
    [run.status, run.stdout, run.stderr],
    [0, '', 'There is no image on this host yet. Fetch one: envs image pull focal\n'],
  )
})

test('image rm removes it, and environments stay', async (t) => {
  const {envs, entries, cli} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await envs('create', 'focal')
  const run = await envs('image', 'rm', 'focal')
  assert.deepEqual(
    [run.status, run.stderr],
    [
      0,
      'Removed ubuntu:focal/base 20.04.5. These environments were made from it and do not need it: focal.\n',
    ],
  )
  assert.deepEqual(await entries(), [])
  assert.deepEqual(await cli.storeEntries(), ['focal'])
})

test('image rm of what is not kept is a failure', async (t) => {
  const {envs} = await imageCli(t)
  const run = await envs('image', 'rm', 'focal', '--json')
  assert.equal(run.status, 3)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_IMAGE_NOT_KEPT')
})

test('image prune removes what a newer one replaced, and says how much that frees', async (t) => {
  const older = await tinyRootfs(t)
  const newer = await tinyRootfs(t, {files: 1})
  const {envs, publish, entries} = await imageCli(t, older.bytes)
  await envs('image', 'pull', 'focal')
  await publish('20.04.6', newer.bytes)
  await envs('image', 'pull', 'focal')
  const planned = JSON.parse((await envs('image', 'prune', '--dry-run', '--json')).stdout)
  assert.deepEqual(
    planned.pruned.map(({sha256, reason}: {sha256: string; reason: string}) => [sha256, reason]),
    [[older.sha256, 'superseded']],
  )
  assert.equal((await entries()).length, 2)
  const run = await envs('image', 'prune')
  assert.match(run.stderr, /^Freed \d.*\.\n$/)
  assert.deepEqual(await entries(), [newer.sha256])
  assert.equal((await envs('image', 'prune')).stderr, 'There is nothing to remove.\n')
})

test('image search tells of what is published', async (t) => {
  const {envs} = await imageCli(t, (await tinyRootfs(t)).bytes)
  const {images} = JSON.parse((await envs('image', 'search', 'focal', '--json')).stdout)
  const base = images.find(({name}: {name: string}) => name === 'ubuntu:focal/base')
  assert.deepEqual([base.isEol, base.suite, base.version], [true, 'focal', '20.04'])
})

test('image search tells of the built-in table without a network, and says so', async (t) => {
  const {offline} = await imageCli(t)
  const run = await offline('image', 'search', 'focal')
  assert.equal(run.status, 0)
  assert.match(run.stdout, /^ubuntu:focal\/base .+ EOL since 2025-\d\d-\d\d +the built-in table$/m)
  assert.match(run.stderr, /http:\/\/127\.0\.0\.1:1 did not answer /)
})

test('image search points to the nearest names', async (t) => {
  const {envs} = await imageCli(t, (await tinyRootfs(t)).bytes)
  const run = await envs('image', 'search', 'foacl')
  assert.equal(run.stdout, '')
  assert.match(run.stderr, /Nothing fits "foacl"\. Did you mean focal\?\n/)
})

test('the digest of image list is the one of the archive', async (t) => {
  const {bytes} = await tinyRootfs(t)
  const {envs} = await imageCli(t, bytes)
  await envs('image', 'pull', 'focal')
  const [image] = JSON.parse((await envs('image', 'list', '--json')).stdout)
  assert.equal(image.sha256, digestOf(bytes))
})
