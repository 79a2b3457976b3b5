// Tier: e2e, because it asks the archives themselves.
import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import type {ArchiveRelease} from '../../../src/apt/context.js'
import {hostMirrors} from '../../../src/apt/mirrors.js'
import {planPackages} from '../../../src/apt/plan.js'
import {capture} from '../../../src/host/process.js'
import {clientOf, TRIXIE} from '../../support/archive-context.js'
import {which} from '../../support/extraction.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const mirrors = await hostMirrors('debian', '/etc/apt')
const debootstrap = which('debootstrap')
const whyNot =
  debootstrap === undefined
    ? 'debootstrap is not installed'
    : mirrors.main === undefined && 'the APT sources of this host name no mirror of Debian'

const release = (codename: string, version: string): ArchiveRelease => ({
  distribution: 'debian',
  codename,
  version,
  hasMoved: false,
})

for (const [codename, version] of [
  ['trixie', '13'],
  ['bookworm', '12'],
] as const) {
  test(`${codename} is made of the very packages that debootstrap takes`, {skip: whyNot}, async (t) => {
    const folder = await temporaryFolder(t)
    const client = await clientOf(t, {
      mirrors: {debian: mirrors.main, debianSecurity: mirrors.security, ubuntu: undefined},
      keyrings: [],
    })
    // The mirror of the host may stand still.
    const context = {...client.context, keyrings: [], allowExpired: true}
    const [plan, theirs] = await Promise.all([
      planPackages({...TRIXIE, release: release(codename, version)}, context),
      capture([
        debootstrap ?? '',
        '--print-debs',
        '--variant=minbase',
        '--arch=amd64',
        '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg',
        codename,
        join(folder, 'target'),
        mirrors.main ?? '',
      ]),
    ])
    assert.equal(theirs.status, 0, theirs.stderr)
    const names = theirs.stdout.split(/\s+/).filter((name) => name !== '')
    assert.ok(names.length > 70)
    assert.deepEqual(
      plan.packages.map(({name}) => name),
      names.sort(),
    )
    assert.deepEqual(
      plan.pockets.map(({name}) => name),
      ['release', 'updates', 'security'],
    )
  })
}
