import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {debArchitecture} from '../../../src/host/machine/arch.js'
import {openArchive} from '../../support/archive.js'
import {environmentCli} from '../../support/environment-cli.js'

const NO_SERVER = {
  ENVS_MIRROR_UBUNTU_BASE: 'http://127.0.0.1:1',
  ENVS_MIRROR_UBUNTU_CLOUD: 'http://127.0.0.1:1',
  ENVS_MIRROR_LXC: 'http://127.0.0.1:1',
}

/** Enough to be chosen and unpacked, and nothing that could run. */
const PACKAGES = [
  {name: 'base-files', priority: 'required', files: {'etc/issue': 'tiny\n'}},
  {name: 'apt', priority: 'important', files: {'usr/bin/apt': '#!/bin/sh\n'}},
] as const

const architecture = debArchitecture(process.arch)

test('a release of Ubuntu whose images are out of reach is made of packages, and a failure leaves nothing behind', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite: 'noble',
    architecture,
    packages: PACKAGES,
  })
  const cli = await environmentCli(t, {...archive.variables, ...NO_SERVER})
  const {status, stdout} = await cli.run('create', 'noble', '--json')
  const {error} = JSON.parse(stdout)
  assert.deepEqual([status, error.code], [7, 'ENVS_BOOTSTRAP_FAILED'])
  assert.match(
    error.message,
    /^Could not make "ubuntu:noble\/archive": its packages could not be configured\./,
  )
  assert.deepEqual(await readdir(join(cli.data, 'layers')), [])
  assert.deepEqual(await cli.storeEntries(), [])
  assert.ok(archive.requested().some((path) => path.endsWith('.deb')))
})

test('where neither images nor packages are in reach, the servers of images are named', async (t) => {
  const cli = await environmentCli(t, {...NO_SERVER, ENVS_MIRROR_UBUNTU_ARCHIVE: 'http://127.0.0.1:1'})
  const {status, stdout} = await cli.run('create', 'noble', '--json')
  assert.deepEqual([status, JSON.parse(stdout).error.code], [5, 'ENVS_SOURCES_UNREACHABLE'])
})

test('a package that there is not is told before anything is downloaded', async (t) => {
  const archive = await openArchive(t, {
    distribution: 'debian',
    suite: 'trixie',
    architecture,
    packages: PACKAGES,
  })
  const cli = await environmentCli(t, archive.variables)
  const {status, stdout} = await cli.run('create', 'trixie', '--include', 'curll', '--json')
  assert.equal(status, 3)
  assert.match(JSON.parse(stdout).error.message, /curll/)
  assert.ok(!archive.requested().some((path) => path.endsWith('.deb')))
})

for (const image of ['./rootfs.tar', 'lxc:debian/trixie', 'ubuntu:noble/cloud']) {
  test(`--include has no meaning for ${image}`, async (t) => {
    const cli = await environmentCli(t)
    const {status, stderr} = await cli.run('create', image, '--include', 'curl')
    assert.equal(status, 2)
    assert.match(stderr, /--include, --variant and --components are for images that envs makes from packages/)
  })
}
