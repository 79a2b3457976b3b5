import assert from 'node:assert/strict'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {environmentCli} from '../../support/environment-cli.js'
import {runWithFailingSync} from '../../support/failing-sync.js'
import {ownGuest} from '../../support/guest.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done, givenEnvironment} from '../../support/store-at-rest.js'
import {storeState, writeUpper} from '../../support/store-state.js'

for (const [what, argv] of [
  ['create', undefined],
  ['clone', ['clone', 'play', 'copy', '-q']],
  ['rename', ['rename', 'play', 'copy']],
] as const) {
  test(`${what} whose last sync fails leaves environments that are whole`, async (t) => {
    const cli = await givenEnvironment(t, 'play')
    writeUpper(cli.data, 'play', 'marker', 'written')
    const ran = await runWithFailingSync(cli, 'environments', argv ?? (await creation(t, 'copy')))
    assert.equal(ran.status, 8, ran.stderr)
    assert.deepEqual(storeState(cli.data).leftovers, [])
    await done(cli, 'clone', 'copy', 'another', '-q')
  })
}

test('a snapshot of what runs whose last sync fails can be gone back to', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.sh('echo word >/srv/word; sleep 300 >/dev/null 2>&1 &')
  const ran = await runWithFailingSync(guest.cli, 'play', ['snapshot', 'play', 'live'])
  assert.equal(ran.status, 8, ran.stderr)
  await guest.sh('rm /srv/word')
  await done(guest.cli, 'restore', 'play', 'live', '--force')
  assert.equal((await guest.sh('cat /srv/word')).stdout, 'word\n')
})

test('what was in memory is kept though the last sync fails', async (t) => {
  const cli = await environmentCli(t, {ENVS_IDENTITY: 'emulated'})
  await done(cli, 'try', await debianRootfs(), '-q', '--', 'sh', '-c', 'echo word >/srv/word')
  const ran = await runWithFailingSync(cli, 'try-1', ['keep', 'play'])
  assert.equal(ran.status, 8, ran.stderr)
  await done(cli, 'keep', 'play')
  assert.equal((await cli.run('run', 'play', 'cat', '/srv/word')).stdout, 'word\n')
})
