import assert from 'node:assert/strict'
import {type Guest, ownGuest} from '../../support/guest.js'
import {layeredTest as test} from '../../support/stacked-layers.js'

test('undo after a snapshot by hand goes back to the new environment, and redo takes each undo back', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await session(guest, 'echo one >/srv/one')
  await done(guest, 'snapshot', 'play', 'first')
  await done(guest, 'undo', 'play')
  const nothing = await guest.cli.run('undo', 'play')
  assert.equal(nothing.status, 3)
  assert.match(nothing.stderr, /envs redo play\n/)
  assert.equal(await seen(guest), '')
  await done(guest, 'redo', 'play')
  assert.equal(await seen(guest), 'one')

  await session(guest, 'echo two >/srv/two')
  await session(guest, 'echo three >/srv/three')
  await done(guest, 'undo', 'play')
  await done(guest, 'undo', 'play')
  // A look at the present state does not end the list of undone states.
  assert.equal(await seen(guest), 'one')
  const again = await guest.cli.run('redo', 'play', '--json')
  assert.equal(JSON.parse(again.stdout).name, 'play')
  assert.equal(await seen(guest), 'one two')
  await done(guest, 'redo', 'play')
  assert.equal(await seen(guest), 'one three two')
  const none = await guest.cli.run('redo', 'play', '--json')
  assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [3, 'ENVS_NOTHING_TO_REDO'])

  await done(guest, 'undo', 'play')
  await done(guest, 'restore', 'play', 'first')
  assert.equal((await guest.cli.run('redo', 'play')).status, 3)
})

test('undo of an imported environment goes back to the import, also after a snapshot', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  await session(guest, 'echo one >/srv/one')
  await done(guest, 'export', 'play', '-o', 'play.tar', '--quiet')
  await done(guest, 'rm', '--now', 'play')
  await done(guest, 'import', 'play.tar', '--name', 'play', '--identity', 'emulated', '--quiet')
  await session(guest, 'echo two >/srv/two')
  await done(guest, 'snapshot', 'play')
  await done(guest, 'undo', 'play')
  assert.equal((await cli.run('undo', 'play')).status, 3)
  assert.equal(await seen(guest), 'one')
})

test('a snapshot of a clone that never ran is its start', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  await session(guest, 'echo one >/srv/one')
  await done(guest, 'clone', 'play', 'copy', '--quiet')
  await done(guest, 'snapshot', 'copy', 'start')
  assert.equal((await cli.run('undo', 'copy')).status, 3)
  await done(guest, 'run', 'copy', '--', 'touch', '/srv/two')
  await done(guest, 'stop', '-f', 'copy')
  await done(guest, 'undo', 'copy')
  assert.equal((await cli.run('undo', 'copy')).status, 3)
  assert.equal((await cli.run('run', 'copy', 'ls', '/srv')).stdout, 'one\n')
  await done(guest, 'rm', '-f', '--now', 'copy')
})

async function session(guest: Guest, script: string): Promise<void> {
  await done(guest, 'run', 'play', '--', 'sh', '-c', script)
  await done(guest, 'stop', '-f', 'play')
}

async function seen(guest: Guest): Promise<string> {
  const {stdout} = await guest.sh('ls /srv')
  await done(guest, 'stop', '-f', 'play')
  return stdout.trim().split(/\s+/).join(' ')
}

async function done({cli}: Guest, ...argv: string[]): Promise<void> {
  const {status, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
}
