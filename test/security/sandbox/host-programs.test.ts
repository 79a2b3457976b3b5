import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {startSession} from '../../support/running-session.js'

/**
 * Looks for a process whose program is a file of the host, and that it can open: through such a descriptor the guest
 * could write to it later, where it is the user's own. Its own programs are those that lie in its tree.
 */
const WATCH = `perl -e '
  $| = 1;
  my $O_PATH = 010000000;
  my %own = map { my @s = stat; ("$s[0]:$s[1]" => 1) } glob "/usr/bin/* /usr/sbin/*";
  print "ready\\n";
  until (-e "/tmp/enough") {
    for my $process (glob "/proc/[0-9]*") {
      sysopen(my $program, "$process/exe", $O_PATH) or next;
      my @status = stat $program;
      my $link = readlink "$process/exe";
      next if $own{"$status[0]:$status[1]"} || $link =~ m{/bwrap$};
      print "opened $link\\n";
      exit;
    }
  }
'`

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: the program that joins can't be opened by those who are there`, {skip}, async () => {
    const guest = await play()
    const watch = await startSession(guest, WATCH)
    for (let count = 0; count < 8; count++) assert.equal((await guest.run('true')).status, 0)
    // In emulated a session of another user can be opened for the moment in which its ids are given:
    // docs/decisions/0022-engines.md.
    if (identity === 'mapped') await guest.runWith({flags: ['--user', 'games']}, 'true')
    await guest.run('touch', '/tmp/enough')
    await watch.ended()
    assert.equal(watch.output(), 'ready\n')
  })
}
