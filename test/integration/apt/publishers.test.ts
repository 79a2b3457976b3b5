import assert from 'node:assert/strict'
import {test} from 'node:test'
import {planPackages} from '../../../src/apt/plan.js'
import type {DebArchitecture} from '../../../src/host/machine/arch.js'
import {openArchive} from '../../support/archive.js'
import {clientOf, NOBLE} from '../../support/archive-context.js'
import {startPublisherProxy} from '../../support/publisher-proxy.js'
import {SYSTEM} from '../../support/refused-archive.js'
import {scopedTo} from '../../support/scoped-keyrings.js'

const UNSET = {debian: undefined, debianSecurity: undefined, ubuntu: undefined}

for (const [codename, version, architecture, url] of [
  ['noble', '24.04', 'amd64', 'http://archive.ubuntu.com/ubuntu'],
  ['noble', '24.04', 'arm64', 'http://ports.ubuntu.com/ubuntu-ports'],
  ['noble', '24.04', 'riscv64', 'http://ports.ubuntu.com/ubuntu-ports'],
  ['resolute', '26.04', 'arm64', 'http://archive.ubuntu.com/ubuntu'],
  ['mantic', '23.10', 'amd64', 'http://old-releases.ubuntu.com/ubuntu'],
  ['mantic', '23.10', 'arm64', 'http://old-releases.ubuntu.com/ubuntu'],
] as const satisfies readonly (readonly [string, string, DebArchitecture, string])[]) {
  test(`without a mirror of their own ${codename}'s packages for ${architecture} come from ${url} and nowhere else`, async (t) => {
    const archive = await openArchive(t, {
      distribution: 'ubuntu',
      suite: codename,
      architecture,
      packages: SYSTEM,
    })
    const root = archive.folderOf('release').replace(/\/dists\/.*$/, '')
    const proxy = await startPublisherProxy(t, {url, archive, root})
    const {context} = await clientOf(
      t,
      {mirrors: UNSET, keyrings: scopedTo(url, archive.keyrings)},
      {environment: {...proxy.variables}},
    )
    const release = {...NOBLE.release, codename, version, hasMoved: codename === 'mantic'}
    const plan = await planPackages({...NOBLE, release, architecture}, context)
    for (const {url: own} of plan.packages) assert.ok(own.href.startsWith(`${url}/pool/main/`), own.href)
    assert.deepEqual(
      plan.pockets.map(({mirror}) => mirror),
      [url, url, url],
    )
    assert.deepEqual(proxy.hosts(), [new URL(url).host])
  })
}

test('a release that moved comes from the archive of old releases when the own mirror has lost it', async (t) => {
  const archive = await openArchive(t, {distribution: 'ubuntu', suite: 'mantic', packages: SYSTEM})
  const own = await openArchive(t, {distribution: 'ubuntu', suite: 'noble', packages: SYSTEM})
  const url = 'http://old-releases.ubuntu.com/ubuntu'
  const proxy = await startPublisherProxy(t, {url, archive, root: 'ubuntu'})
  const environment = {...proxy.variables, no_proxy: '127.0.0.1'}
  const {context} = await clientOf(
    t,
    {mirrors: own.mirrors, keyrings: scopedTo(url, archive.keyrings)},
    {environment},
  )
  const release = {...NOBLE.release, codename: 'mantic', version: '23.10', hasMoved: true}
  const {pockets} = await planPackages({...NOBLE, release}, context)
  assert.deepEqual(
    pockets.map(({mirror}) => mirror),
    [url, url, url],
  )
  assert.ok(own.requested().includes('ubuntu/dists/mantic/InRelease'))
})
