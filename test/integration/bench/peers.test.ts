import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Bench} from '../../../bench/invocation.js'
import {openPeers} from '../../../bench/peers.js'
import {openSchroot} from '../../../bench/schroot.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** A host on which, of all that is asked for, these shell scripts come first. */
async function hostWith(t: TestContext, scripts: Readonly<Record<string, string>>): Promise<Bench> {
  const home = await temporaryFolder(t)
  const [folder, programs] = [join(home, 'bench'), join(home, 'programs')]
  await mkdir(folder)
  await mkdir(programs)
  for (const [name, script] of Object.entries(scripts))
    await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`, {mode: 0o755})
  return {folder, environment: {HOME: folder, PATH: programs}}
}

/** Says what podman says of how it keeps images, and can't do anything else. */
const FULL_PODMAN = '[ "$1" = info ] && echo overlay && exit\necho "Error: no room" >&2\nexit 125'

test('every peer is timed or left out, and one that does not work is left out with what it said', async (t) => {
  const bench = await hostWith(t, {distrobox: 'exit 0', podman: FULL_PODMAN, schroot: 'exit 0'})
  const {contenders, absent, close} = await openPeers({root: bench.folder, rootfs: 'none', bench})
  await close()
  const names = [...contenders, ...absent].map(({name}) => name)
  assert.deepEqual(names.sort(), [
    'ch-run',
    'distrobox enter',
    'podman',
    'proot -0',
    'raw bwrap',
    'raw bwrap, bash -l',
    'schroot',
    'unshare',
    'unshare, with a range of ids',
  ])
  const reasons = new Map(absent.map(({name, reason}) => [name, reason]))
  const imported = `podman import --quiet none localhost/envs-bench ended with status 125: Error: no room`
  assert.equal(reasons.get('podman'), imported)
  assert.equal(reasons.get('distrobox enter'), 'podman does not work here')
})

test('schroot is left out where nobody can configure it, and is not run', async (t) => {
  const bench = await hostWith(t, {schroot: ': >"$HOME/was-run"'})
  assert.deepEqual(await openSchroot(bench.folder, bench), {
    name: 'schroot',
    reason: 'only root can make the tree known in /etc/schroot/chroot.d: run as root, with --as USER',
  })
  assert.equal(existsSync(join(bench.folder, 'was-run')), false)
})
