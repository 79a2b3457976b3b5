import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {listing} from '../../support/carried-tree.js'
import {IDENTITIES, ownGuest} from '../../support/guest.js'
import {startSession} from '../../support/running-session.js'

for (const {identity, skip} of IDENTITIES) {
  test(`export has what the guest did, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    const done = await guest.sh(
      'set -e; rm /etc/debian_version; mkdir -m 2770 /srv/new; echo x >/srv/new/file; chmod 4711 /srv/new/file; ' +
        'mkfifo /srv/pipe; ln /srv/new/file /srv/new/second; chown games:games /srv/pipe',
    )
    assert.equal(done.status, 0, done.stderr)
    await guest.cli.run('stop', 'play')
    const run = await guest.cli.run('export', 'play', '-o', 'play.tar', '-q')
    assert.deepEqual([run.status, run.stderr], [0, ''])
    const lines = await listing(join(guest.cli.home, 'play.tar'))
    const owner = identity === 'mapped' ? '5/60' : '0/0'
    assert.deepEqual(
      lines
        .filter((line) => /^(srv\/|etc\/debian_version)/.test(line))
        .map((line) => line.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d/, '')),
      [
        'srv/new drwxrws--- 0/0 0',
        'srv/new/file -rws--x--x 0/0 2',
        'srv/new/second hrws--x--x 0/0 0 link to srv/new/file',
        `srv/pipe prw-r--r-- ${owner} 0`,
      ],
    )
  })
}

test('an export is good for other programs: no link of it leads to what only envs has', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.run('true')
  await guest.cli.run('stop', 'play')
  await guest.cli.run('export', 'play', '-o', 'play.tar')
  const archive = join(guest.cli.home, 'play.tar')
  const {stdout} = await capture(['tar', '-tvf', archive])
  assert.doesNotMatch(stdout, /run\/envs/)
  assert.match(stdout, /^-rw-r--r-- .* 0 .* \.\/etc\/resolv\.conf$/m)
  assert.equal((await readFile(archive)).toString('latin1', 0, 19), './pax_global_header')
})

test('export refuses an environment that runs', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const session = await startSession(guest, 'echo ready; sleep 60')
  const run = await guest.cli.run('export', 'play', '-o', 'x.tar', '--json')
  process.kill(session.pid, 'SIGTERM')
  await session.ended()
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [4, 'ENVS_RUNNING'])
})
