import assert from 'node:assert/strict'
import {readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {ImageQuery} from '../../../src/images/name.js'
import {contextFor, findPublished} from '../../support/image-context.js'
import {
  type ImageServers,
  publishLxc,
  publishUbuntuBase,
  startImageServers,
} from '../../support/image-servers.js'
import {scopedTo} from '../../support/scoped-keyrings.js'
import {makeSigner} from '../../support/signer.js'

const QUERY: ImageQuery = {
  distribution: 'ubuntu',
  suite: 'focal',
  version: '20.04',
  variant: undefined,
  source: undefined,
  architecture: 'amd64',
}
const ALPINE: ImageQuery = {
  ...QUERY,
  distribution: 'alpine',
  suite: '3.22',
  version: undefined,
  source: 'lxc',
}

const NAME = 'ubuntu-base-20.04.5-base-amd64.tar.gz'
const FOLDER = 'ubuntu-base/releases/focal/release'
const stranger = await makeSigner({name: 'Stranger'})

async function withFocal(t: TestContext): Promise<ImageServers> {
  const servers = await startImageServers(t)
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: {[NAME]: Buffer.from('good')}})
  return servers
}

/** Each source of the query would be asked after a mere failure. */
async function refuses(servers: ImageServers, code: string): Promise<void> {
  await assert.rejects(findPublished(QUERY, contextFor(servers)), {code, exitCode: 6})
  const others = servers.server.seen.filter(({target}) => !target?.startsWith('/ubuntu-base/'))
  assert.deepEqual(others, [], 'no other source is asked')
}

test('a listing whose digest of an image was changed is refused', async (t) => {
  const servers = await withFocal(t)
  const path = join(servers.folder, FOLDER, 'SHA256SUMS')
  const text = await readFile(path, 'utf8')
  await writeFile(path, `${'0'.repeat(64)}${text.slice(64)}`)
  await refuses(servers, 'ENVS_BAD_SIGNATURE')
})

test('a listing signed by somebody else is refused', async (t) => {
  const servers = await withFocal(t)
  const listing = await readFile(join(servers.folder, FOLDER, 'SHA256SUMS'))
  await writeFile(join(servers.folder, FOLDER, 'SHA256SUMS.gpg'), await stranger.detached(listing))
  await refuses(servers, 'ENVS_UNKNOWN_SIGNER')
})

test('a listing without a signature is refused', async (t) => {
  const servers = await withFocal(t)
  await rm(join(servers.folder, FOLDER, 'SHA256SUMS.gpg'))
  await refuses(servers, 'ENVS_UNSIGNED_LISTING')
})

test('a listing with an error page for a signature is refused', async (t) => {
  const servers = await withFocal(t)
  await writeFile(join(servers.folder, FOLDER, 'SHA256SUMS.gpg'), '<html>not found</html>')
  await refuses(servers, 'ENVS_SIGNATURE_UNREADABLE')
})

test('a listing that never ends is not read to its end', async (t) => {
  const servers = await withFocal(t)
  await writeFile(join(servers.folder, FOLDER, 'SHA256SUMS'), Buffer.alloc(5 * 1024 ** 2, 'a'))
  await refuses(servers, 'ENVS_UNEXPECTED_SIZE')
})

test('a signed listing that names files in other folders is refused', async (t) => {
  const servers = await withFocal(t)
  const listing = Buffer.from(`${'a'.repeat(64)} *../../../../etc/${NAME}\n`)
  await writeFile(join(servers.folder, FOLDER, 'SHA256SUMS'), listing)
  await writeFile(join(servers.folder, FOLDER, 'SHA256SUMS.gpg'), await servers.signer.detached(listing))
  await refuses(servers, 'ENVS_MALFORMED_LISTING')
})

test('without the key of the test in keyrings its listings are refused', async (t) => {
  const servers = await withFocal(t)
  await assert.rejects(findPublished(QUERY, contextFor(servers, {keyrings: []})), {
    code: 'ENVS_UNKNOWN_SIGNER',
  })
})

test('a listing that is signed by a key for another server is refused', async (t) => {
  const servers = await withFocal(t)
  const keyrings = scopedTo('https://cdimage.ubuntu.com', servers.keyrings)
  await assert.rejects(findPublished(QUERY, contextFor(servers, {keyrings})), {code: 'ENVS_UNKNOWN_SIGNER'})
})

test('an old build that is served for a new one is refused', async (t) => {
  const servers = await startImageServers(t)
  await publishLxc(servers, {
    image: 'alpine/3.22/amd64/default',
    serial: '20260829_13:00',
    files: {'rootfs.tar.xz': Buffer.from('old')},
    date: new Date('2026-03-01T00:00:00Z'),
  })
  await assert.rejects(findPublished(ALPINE, contextFor(servers)), {
    name: 'EnvsError',
    code: 'ENVS_REPLAYED_LISTING',
    exitCode: 6,
  })
})

test('an index signed by somebody else is refused', async (t) => {
  const servers = await startImageServers(t)
  await publishLxc(servers, {
    image: 'alpine/3.22/amd64/default',
    serial: '20260829_13:00',
    files: {'rootfs.tar.xz': Buffer.from('x')},
  })
  const index = await readFile(join(servers.folder, 'lxc/meta/1.0/index-system'))
  await writeFile(join(servers.folder, 'lxc/meta/1.0/index-system.asc'), await stranger.detached(index))
  await assert.rejects(findPublished(ALPINE, contextFor(servers)), {code: 'ENVS_UNKNOWN_SIGNER'})
})
