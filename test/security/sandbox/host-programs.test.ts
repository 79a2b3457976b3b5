import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {type RunningSession, startSession, stopped} from '../../support/running-session.js'

/**
 * Looks into each new process as soon as it has an id, for two things: a program that it can open and that is none of its
 * own, for through such a descriptor the guest could write to it later, where it is the user's; and a root below which there
 * is a file of the host. The last id given is asked for seldom, the next ones are tried as fast as can be.
 */
const watch = (secret: string) => `exec perl -e '
  $| = 1;
  my $until;
  $SIG{$_} = sub { $until = time + 1 } for qw(TERM HUP);
  my ($O_PATH, $secret) = (010000000, "${secret}");
  my %own = map { my @s = stat; ("$s[0]:$s[1]" => 1) } glob "/usr/bin/* /usr/sbin/*";
  print "ready\\n";
  my ($turn, $last) = (0, 0);
  while (!$until || time < $until) {
    if ($turn++ % 100 == 0) {
      last if -e "/tmp/enough";
      open my $file, "<", "/proc/sys/kernel/ns_last_pid" or die;
      $last = <$file> - 1;
    }
    for my $process (map { "/proc/" . ($last + $_) } 1 .. 4) {
      if (open my $file, "<", "$process/root$secret") { print "read ", <$file>; exit }
      sysopen(my $program, "$process/exe", $O_PATH) or next;
      my @status = stat $program;
      next if $own{"$status[0]:$status[1]"};
      print "opened ", readlink("$process/exe"), "\\n";
      exit;
    }
  }
'`

/** A file of the host that the guest has no way to, and the one who looks for it. */
async function startWatch(guest: Guest): Promise<RunningSession> {
  const secret = join(guest.cli.home, 'secret')
  await writeFile(secret, 'of the host\n')
  await guest.run('rm', '-f', '/tmp/enough')
  return startSession(guest, watch(secret))
}

async function foundBy(session: RunningSession, guest: Guest): Promise<string> {
  await guest.run('touch', '/tmp/enough')
  await session.ended()
  return session.output()
}

for (const {identity: title, skip} of IDENTITIES) {
  const play = sharedGuest(title)
  for (const user of ['root', 'games']) {
    test(`${title}: the program that joins as ${user} can't be opened by those who are there`, {
      skip,
    }, async () => {
      const guest = await stopped(play)
      const session = await startWatch(guest)
      for (let count = 0; count < 12; count++) {
        assert.equal((await guest.runWith({flags: ['--user', user]}, 'true')).status, 0)
      }
      assert.equal(await foundBy(session, guest), 'ready\n')
    })
  }

  test(`${title}: who sends signals for a snapshot can't be opened, nor leads to the host's files`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const session = await startWatch(guest)
    for (let count = 0; count < 8; count++) {
      assert.equal((await guest.cli.run('snapshot', 'play')).status, 0)
    }
    assert.equal(await foundBy(session, guest), 'ready\n')
  })

  test(`${title}: who sends signals for envs stop can't be opened, nor leads to the host's files`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    for (let count = 0; count < 4; count++) {
      const session = await startWatch(guest)
      assert.equal((await guest.cli.run('stop', 'play')).status, 0)
      await session.ended()
      assert.equal(session.output(), 'ready\n')
    }
  })
}
