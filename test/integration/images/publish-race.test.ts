import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {ImageQuery} from '../../../src/images/name.js'
import type {ImageNotice} from '../../../src/images/sources/source.js'
import {contextFor, findPublished} from '../../support/image-context.js'
import {
  type ImageServers,
  publishLxc,
  publishUbuntuBase,
  startImageServers,
} from '../../support/image-servers.js'
import {waitUntil} from '../../support/wait-until.js'

const QUERY: ImageQuery = {
  distribution: 'ubuntu',
  suite: 'focal',
  version: '20.04',
  variant: 'base',
  source: undefined,
  architecture: 'amd64',
}
const FOLDER = 'ubuntu-base/releases/focal/release'

const base = (version: string) => ({[`ubuntu-base-${version}-base-amd64.tar.gz`]: Buffer.from(version)})

/** A folder into which 20.04.5 has just come, and the signature of the listing before. */
async function inTheRace(t: TestContext): Promise<{servers: ImageServers; before: Buffer}> {
  const servers = await startImageServers(t)
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: base('20.04.4')})
  const before = await readFile(join(servers.folder, FOLDER, 'SHA256SUMS.gpg'))
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: base('20.04.5')})
  return {servers, before}
}

test('a new listing with the signature of the one before is fetched again, past all caches', async (t) => {
  const {servers, before} = await inTheRace(t)
  servers.replaceOnce(`${FOLDER}/SHA256SUMS.gpg`, before, 2)
  assert.equal((await findPublished(QUERY, contextFor(servers))).label.version, '20.04.5')
  const {seen} = servers.server
  assert.equal(seen.length, 6)
  assert.deepEqual(
    seen.map(({headers}) => headers['cache-control']),
    [undefined, undefined, 'no-cache', 'no-cache', 'no-cache', 'no-cache'],
  )
})

test('a signature that does not fit three times in a row is refused', async (t) => {
  const {servers, before} = await inTheRace(t)
  servers.replaceOnce(`${FOLDER}/SHA256SUMS.gpg`, before, 3)
  await assert.rejects(findPublished(QUERY, contextFor(servers)), {code: 'ENVS_BAD_SIGNATURE', exitCode: 6})
  assert.equal(servers.server.seen.length, 6)
})

test('a wait for the publisher ends with the command', async (t) => {
  const {servers, before} = await inTheRace(t)
  servers.replaceOnce(`${FOLDER}/SHA256SUMS.gpg`, before, 3)
  const stop = new AbortController()
  const reason = new Error('stop')
  const finding = findPublished(QUERY, contextFor(servers, {signal: stop.signal, backoffMs: 60_000}))
  const rejected = assert.rejects(finding, reason)
  await waitUntil('the second answer', () => servers.server.seen.length === 2)
  stop.abort(reason)
  await rejected
})

test('a build that went between the index and its folder is looked up anew', async (t) => {
  const servers = await startImageServers(t)
  const files = {'rootfs.tar.xz': Buffer.from('x')}
  const image = 'alpine/3.22/amd64/default'
  await publishLxc(servers, {image, serial: '20260829_13:00', files})
  const name = 'lxc/meta/1.0/index-system'
  const old = Buffer.from(
    (await readFile(join(servers.folder, name), 'utf8')).replaceAll('20260829', '20260825'),
  )
  servers.replaceOnce(name, old)
  servers.replaceOnce(`${name}.asc`, await servers.signer.detached(old))
  const query = {
    ...QUERY,
    distribution: 'alpine',
    suite: '3.22',
    version: undefined,
    variant: undefined,
    source: 'lxc',
  }
  assert.equal((await findPublished(query, contextFor(servers))).label.version, '20260829_13:00')
})

test('a clock that is behind is told, and the image found', async (t) => {
  const servers = await startImageServers(t)
  const date = new Date('2026-05-01T00:00:00Z')
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: base('20.04.5'), date})
  const now = new Date('2026-02-01T00:00:00Z')
  const notices: ImageNotice[] = []
  await findPublished(QUERY, contextFor(servers, {now, onNotice: (notice) => notices.push(notice)}))
  const listing = `${servers.mirrors.ubuntuBase}/releases/focal/release/SHA256SUMS`
  assert.deepEqual(notices, [{kind: 'clock-behind', listing, signedAt: date, now}])
})
