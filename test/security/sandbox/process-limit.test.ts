import assert from 'node:assert/strict'
import {test} from 'node:test'
import {putProgram} from '../../support/guest.js'
import {namespaceCases} from '../../support/namespace-cases.js'

/** More than an environment may have; far fewer than a host of today has room for. */
const MOST = 9000

/**
 * Forks until it can't, all of them waiting, then says how many there are and lets them end. Its children are made by
 * vfork's cheap relative: a fork of a program that has loaded nothing.
 */
const BOMB = `#!/usr/bin/perl
pipe my $wait, my $hold;
my $count = 0;
while ($count < ${MOST}) {
  my $child = fork;
  last unless defined $child;
  if ($child == 0) { close $hold; sysread $wait, my $end, 1; exit }
  $count++;
}
my $errno = $! + 0;
print $count < ${MOST} ? "refused with $errno\\n" : "never refused\\n";
$| = 1;
print "ready\\n";
<STDIN>;
`

const BOMBS = [
  ['root', 'exec bomb'],
  ['a user', 'exec su games -s /bin/sh -c bomb'],
  ['root of a namespace within', 'exec unshare --user --map-root-user bomb'],
] as const

for (const {title, skip, play} of namespaceCases()) {
  // Thousands of processes each: the namespace that counts them is the same with either engine.
  for (const [what, command] of title.startsWith('unshare') ? BOMBS.slice(0, 1) : BOMBS) {
    test(`${title}: a fork bomb of ${what} ends at the environment's own limit, and the host forks on`, {
      skip,
    }, async () => {
      const guest = await play()
      await putProgram(guest, '/usr/local/bin/bomb', BOMB)
      const ran = await guest.onHost(
        // That of the case before has the word that is waited for.
        `rm -f bomb.out; exec 3< <(sleep 20 & echo $! >sleeper; wait)
         envs run play sh -c '${command}' <&3 >bomb.out 2>&1 & envs=$!
         until grep -q ready bomb.out; do kill -0 $envs || exit 9; sleep 0.05; done
         for i in 1 2 3 4 5; do sh -c 'exit 0' || echo "no fork on the host"; done
         cat bomb.out; kill $(cat sleeper); wait $envs; exit 0`,
      )
      assert.equal(ran.stdout, 'refused with 11\nready\n', ran.stderr)
      // EAGAIN was the guest's alone, and is over.
      assert.equal((await guest.run('echo', 'works')).stdout, 'works\n')
    })
  }
}
