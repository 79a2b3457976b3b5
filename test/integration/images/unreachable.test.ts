import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {ImageQuery} from '../../../src/images/name.js'
import type {ImageNotice} from '../../../src/images/sources/source.js'
import {contextFor, findPublished} from '../../support/image-context.js'
import {publishLxc, startImageServers} from '../../support/image-servers.js'

const QUERY: ImageQuery = {
  distribution: 'ubuntu',
  suite: 'focal',
  version: '20.04',
  variant: undefined,
  source: undefined,
  architecture: 'amd64',
}

/** Port 1 of the loopback, where nothing listens. */
const NOBODY = 'http://127.0.0.1:1/ubuntu'

test('when no source can be reached, each is named with its reason, and what works without one', async (t) => {
  const servers = await startImageServers(t)
  const mirrors = {ubuntuBase: NOBODY, ubuntuCloud: 'http://me:secret@127.0.0.1:1', lxc: NOBODY}
  await assert.rejects(findPublished(QUERY, contextFor(servers, {mirrors})), {
    name: 'SourcesUnreachableError',
    code: 'ENVS_SOURCES_UNREACHABLE',
    exitCode: 5,
    message:
      'Could not look up "ubuntu:focal": http://127.0.0.1:1/ubuntu (the connection was refused); ' +
      'http://***:***@127.0.0.1:1 (the connection was refused); http://127.0.0.1:1/ubuntu (the connection was refused).',
    suggestions: [
      'Check the URL and the network; a proxy is taken from http_proxy and https_proxy.',
      'An image that was fetched before needs no network: envs image list',
      'A root file system that you have as a tar archive needs none either: envs create ./rootfs.tar.gz',
    ],
  })
})

test('a source that is not reached is passed over, and told', async (t) => {
  const servers = await startImageServers(t)
  const files = {'rootfs.tar.xz': Buffer.from('x')}
  await publishLxc(servers, {image: 'ubuntu/focal/amd64/default', serial: '20260829_07:42', files})
  const notices: ImageNotice[] = []
  const mirrors = {...servers.mirrors, ubuntuBase: NOBODY}
  const image = await findPublished(
    QUERY,
    contextFor(servers, {mirrors, onNotice: (notice) => notices.push(notice)}),
  )
  assert.equal(image.source, 'lxc')
  assert.deepEqual(notices, [
    {kind: 'source-unreachable', source: 'ubuntu-base', mirror: NOBODY, reason: 'the connection was refused'},
  ])
})

test('an image that the others do not have may lie where nobody answers', async (t) => {
  const servers = await startImageServers(t)
  const mirrors = {...servers.mirrors, lxc: NOBODY}
  await assert.rejects(findPublished(QUERY, contextFor(servers, {mirrors})), {
    code: 'ENVS_SOURCES_UNREACHABLE',
    message: `Could not look up "ubuntu:focal": ${NOBODY} (the connection was refused).`,
  })
})
