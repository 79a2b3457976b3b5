import assert from 'node:assert/strict'
import {lstat, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {listenersOf} from '../../support/listeners.js'
import {withOneNamespace} from '../../support/one-namespace.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

/** A guest's root may make /run/envs writable for itself. @see resolver-folder.test.ts */
const MAKE_WRITABLE = `perl -e '
  my $path = "/run/envs"; my $attributes = pack("Q4", 0, 1, 0, 0);
  syscall(442, -100, $path, 0, $attributes, 32) == 0 or print "refused\\n";
'`
const ASK = '/usr/lib/envs/ask-restore-point'

test('whatever floods the requests, one point is made, and the environment can be stopped', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.sh(
    'echo x >/etc/changed; (while :; do head -c 200000 /dev/urandom; yes "play; touch /tmp/x" | head -c 200000; done >/run/envs/restore-point) >/dev/null 2>&1 &',
  )
  await waitUntil('a point', async () => (await labels(guest)).length === 1)
  await guest.sh('echo y >/etc/changed; sleep 3')
  assert.equal((await labels(guest)).length, 1)
  assert.equal((await guest.cli.run('stop', 'play')).status, 0)
  await waitUntil('who listens to end', async () => (await listenersOf(guest)).length === 0)
})

test('a guest that never reads its answers, and fills their place, holds nobody up', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await guest.sh(
    `echo x >/etc/changed; (while :; do head -c 70000 /dev/zero; done >/run/envs/restore-point-answers) >/dev/null 2>&1 &
    sleep 0.5; echo >/run/envs/restore-point`,
  )
  await waitUntil('a point', async () => (await labels(guest)).length === 1)
  assert.equal((await guest.cli.run('stop', 'play')).status, 0)
  assert.equal((await guest.cli.run('undo', 'play')).status, 0)
  await waitUntil('who listens to end', async () => (await listenersOf(guest)).length === 0)
})

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)

  for (const [what, plant] of [
    ['a link to a file of the host', 'ln -s "$1" restore-point; ln -s "$1" restore-point-answers'],
    ['a file', 'echo made >restore-point; echo made >restore-point-answers'],
    ['FIFOs that nobody reads', 'mkfifo restore-point restore-point-answers'],
    ['FIFOs of another owner', 'mkfifo restore-point restore-point-answers; chown 1:1 restore-point*'],
    ['a folder with something in it', 'mkdir -p restore-point/x restore-point-answers/x'],
    ['nothing, and no right to write the folder', 'chmod 0500 .'],
  ] as const) {
    test(`${identity}: nobody waits where the guest leaves ${what} for its requests`, {skip}, async (t) => {
      const guest = await withOneNamespace(t, await shared())
      const sentinel = join(guest.cli.home, 'sentinel')
      await writeFile(sentinel, 'untouched')
      const clear = `${MAKE_WRITABLE}; cd /run/envs && rm -rf restore-point*`
      const script = `${clear}; ${plant}; echo x >/etc/changed; ${ASK} && echo asked`
      const ran = await guest.run('sh', '-c', script, 'sh', sentinel)
      assert.deepEqual([ran.stdout, ran.stderr], ['asked\n', ''])
      await guest.cli.run('stop', '--force', 'play')
      const next = await guest.sh(`${ASK} && echo asked; ${clear}`)
      assert.deepEqual([next.status, next.stdout, next.stderr], [0, 'asked\n', ''])
      await guest.cli.run('stop', '--force', 'play')
      assert.deepEqual(await labels(guest), [])
      assert.equal(await readFile(sentinel, 'utf8'), 'untouched')
      assert.equal((await lstat(sentinel)).isFile(), true)
    })
  }
}

async function labels(guest: Guest): Promise<string[]> {
  const {stdout} = await guest.cli.run('snapshots', 'play', '-q')
  return stdout.split('\n').filter((label) => label.startsWith('apt-'))
}
