import assert from 'node:assert/strict'
import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {findOverlayMounter} from '../../../src/environments/session/engine.js'
import {type Host, openHost} from '../../../src/host/host.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const HOST = openHost()

const skip = process.getuid?.() === 0 && 'root mounts no layers'

/** This host, with a bwrap whose children AppArmor gives a label. */
async function hostWithLabel(t: TestContext, label: string): Promise<Host> {
  const folder = await temporaryFolder(t)
  const bwrap = join(folder, 'bwrap')
  const script = `#!/bin/sh\ncase $* in */attr/apparmor/current) echo '${label}'; exit 0 ;; esac\nexec ${HOST.which('bwrap')} "$@"\n`
  await writeFile(bwrap, script)
  await chmod(bwrap, 0o755)
  const [layers, cache] = [join(folder, 'layers'), join(folder, 'cache')]
  for (const each of [layers, cache]) await mkdir(each, {mode: 0o700})
  return {
    ...HOST,
    paths: {...HOST.paths, layers, cache},
    which: (program) => (program === 'bwrap' ? bwrap : HOST.which(program)),
  }
}

for (const [label, mounter] of [
  ['unconfined', 'engine'],
  ['envs.usr.bin.unshare (unconfined)', 'engine'],
  ['bwrap//&unpriv_bwrap (enforce)', 'before'],
] as const) {
  test(`AppArmor labels what bwrap starts ${label}: layers are mounted by ${mounter}`, {
    skip,
  }, async (t) => {
    const host = await hostWithLabel(t, label)
    assert.equal(await findOverlayMounter(host, 'emulated', 'bwrap'), mounter)
  })
}
