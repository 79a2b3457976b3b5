import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {test} from 'node:test'
import {ownGuest} from '../../support/guest.js'
import {noOverlays} from '../../support/stacked-layers.js'

test('a file with the name of a whiteout does not become one', {skip: noOverlays}, async (t) => {
  const guest = await ownGuest(t, 'emulated')
  for (const name of ['.wh.passwd', '.wh..wh..opq', '.wh.']) {
    const made = await guest.sh(`rm -f /etc/.wh.*; : >/etc/${name}`)
    assert.equal(made.status, 0, made.stderr)
    await guest.cli.run('stop', 'play')
    // A former state has the first file still.
    const flags = name === '.wh.passwd' ? [] : ['--squash']
    const run = await guest.cli.run('export', 'play', '--format', 'oci', '-o', 'x.tar', ...flags, '--json')
    assert.equal(run.status, 4, run.stdout)
    const {code, message} = JSON.parse(run.stdout).error
    assert.equal(code, 'ENVS_EXPORT_REFUSED')
    assert.equal(
      message,
      `Could not pack "etc/${name}" into a layer of an image: in a layer its name would remove another file.`,
    )
  }
  const left = (await readdir(guest.cli.home)).filter((entry) => entry.startsWith('x.tar'))
  assert.deepEqual(left, [])
})
