import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {IDENTITIES, ownGuest} from '../../support/guest.js'
import {withOneNamespace} from '../../support/one-namespace.js'

/**
 * Where the host forbids a second user namespace, a guest's root may make /run/envs writable for itself: the mount is its own. Perl, for mount(8) may not be there.
 *
 * @see mount_setattr(2), number 442 on every architecture: clears MOUNT_ATTR_RDONLY
 */
const MAKE_WRITABLE = `perl -e '
  my $path = "/run/envs"; my $attributes = pack("Q4", 0, 1, 0, 0);
  syscall(442, -100, $path, 0, $attributes, 32) == 0 or print "refused\\n";
'`

for (const {identity, skip} of IDENTITIES) {
  for (const [what, plant] of [
    ['a link to a file of the host', 'ln -s "$1" resolv.conf'],
    ['a link to a folder of the host', 'ln -s "$(dirname "$1")" resolv.conf'],
    ['a FIFO', 'mkfifo resolv.conf'],
    ['a folder with something in it', 'mkdir -p resolv.conf/x'],
    ['a file that nobody may read', ': >resolv.conf; chmod 0 resolv.conf'],
    ['a very large file', 'truncate -s 100G resolv.conf'],
    ['nothing, and no right to write the folder', 'chmod 0500 .'],
    ['nothing, and no right to enter the folder', 'chmod 0 .'],
    ['nothing, in a folder of another owner', 'chown games . && chmod 0700 .'],
  ] as const) {
    test(`${identity}: the next session works when the guest leaves ${what} for the host`, {
      skip,
    }, async (t) => {
      const guest = await withOneNamespace(t, await ownGuest(t, identity))
      const sentinel = join(guest.cli.home, 'sentinel')
      await writeFile(sentinel, 'untouched')
      const script = `${MAKE_WRITABLE}; cd /run/envs && rm -rf resolv.conf; ${plant}; echo planted`
      const ran = await guest.run('sh', '-c', script, 'sh', sentinel)
      assert.equal(ran.stdout, 'planted\n', ran.stderr)
      for (const state of ['running', 'down']) {
        const next = await guest.run('echo', 'works')
        assert.deepEqual([state, next.status, next.stdout, next.stderr], [state, 0, 'works\n', ''])
        await guest.cli.run('stop', '--force', 'play')
      }
      assert.equal(await readFile(sentinel, 'utf8'), 'untouched')
      assert.equal(existsSync(join(guest.cli.home, 'resolv.conf')), false)
    })
  }
}
