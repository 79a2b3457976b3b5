import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Scope} from '../../support/cli.js'
import {fileScope} from '../../support/file-scope.js'
import {type Guest, putProgram} from '../../support/guest.js'
import {type HostTerminal, hostTerminal} from '../../support/host-terminal.js'
import {namespaceCases} from '../../support/namespace-cases.js'
import {NR} from '../../support/system-calls.js'
import {waitUntil} from '../../support/wait-until.js'

/**
 * Leaves the session, opens every terminal that it can find, and notes what is typed there: also after the session's end.
 * Each turn is counted, so that a test knows that it has looked.
 */
const THIEF = `#!/usr/bin/perl
use strict;
my ($O_RDWR, $O_NONBLOCK, $O_NOCTTY) = (2, 04000, 0400);
my %opened;
sub look {
  for my $path ('/dev/tty', glob '/dev/pts/* /dev/tty* /dev/console /proc/[0-9]*/fd/*') {
    next if $path =~ m{/ptmx$|^/proc/$$/} || $opened{$path};
    next unless ($path =~ m{^/dev/} ? -c $path : readlink($path) =~ m{^/dev/(?:pts/|tty)});
    sysopen(my $file, $path, $O_RDWR | $O_NONBLOCK | $O_NOCTTY) or next;
    $opened{$path} = $file if -t $file;
  }
}
look();
# What it was given itself leads somewhere too.
for (0 .. 2) { open my $copy, '+<&', $_ or next; $opened{"own $_"} = $copy if -t $copy }
print "before\\n";
# The end of a session hangs up on all that has not left it by then.
pipe my $left, my $leaves;
if (fork) { close $leaves; sysread $left, my $end, 1; exit }
syscall 0 + shift;
close $leaves;
open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
my $turns = 0;
while (!-e '/tmp/enough') {
  look();
  for my $file (values %opened) {
    my $got = sysread $file, my $text, 4096;
    next unless $got;
    open my $note, '>>', '/tmp/stolen';
    print $note $text;
  }
  open my $note, '>', '/tmp/turns.new';
  print $note ++$turns, "\\n";
  close $note;
  rename '/tmp/turns.new', '/tmp/turns';
  select undef, undef, undef, .02;
}
unlink '/tmp/enough', '/tmp/turns', '/tmp/stolen';
`

/** What reads a line after the test has let it; until then the line waits in the terminal, for anybody. */
const READ_LATER =
  'echo "wai""ting"; until [ -e go ]; do sleep 0.02; done; rm go; read -r line; echo "host got <$line>"'

async function turnsOf(guest: Guest): Promise<number> {
  return Number((await guest.sh('cat /tmp/turns 2>/dev/null')).stdout)
}

for (const {title, skip, play} of namespaceCases()) {
  const scope = fileScope()
  let terminal: Promise<HostTerminal> | undefined
  const prepare = async (t: Scope) => {
    const guest = await play()
    terminal ??= putProgram(guest, '/usr/local/bin/thief', THIEF).then(() => hostTerminal(scope, guest.cli))
    await terminal
    const pane = await (await terminal).open()
    t.after(pane.close)
    return {guest, pane}
  }

  for (const [what, streams] of [
    ['whose streams are the terminal', ''],
    ['with all streams redirected', '</dev/null >/dev/null 2>&1'],
    ['that has standard error alone there', '</dev/null | cat'],
  ] as const) {
    test(`${title}: nothing that is typed after a session ${what} is read by what it left`, {
      skip,
    }, async (t) => {
      const {guest, pane} = await prepare(t)
      await pane.enter(`envs run play -- thief ${NR.setsid} ${streams}; ${READ_LATER}`)
      await pane.shows(/^waiting$/m)
      await waitUntil('the thief to look', async () => (await turnsOf(guest)) > 0)
      await pane.type('secret\r')
      const typed = await turnsOf(guest)
      await waitUntil('two looks', async () => (await turnsOf(guest)) > typed + 2)
      assert.equal((await guest.sh('cat /tmp/stolen 2>/dev/null')).stdout, '')
      assert.equal((await guest.onHost('touch go')).status, 0)
      await pane.shows(/^host got <secret>$/m)
      await guest.sh('touch /tmp/enough; while [ -e /tmp/turns ]; do sleep 0.02; done')
    })
  }

  test(`${title}: /dev/tty opens nothing in a session without a terminal, though its caller has one`, {
    skip,
  }, async (t) => {
    const {guest, pane} = await prepare(t)
    const open = 'open my $tty, "+<", "/dev/tty" and print "opened\\n"; print $! + 0, "\\n"'
    // ENXIO
    assert.equal((await guest.run('perl', '-e', open)).stdout, '6\n')
    await pane.enter(`envs run play -- perl -e '${open}' </dev/null >found 2>&1; cat found`)
    await pane.shows(/^6$/m)
  })

  test(`${title}: every process of the guest has a terminal of the guest's, or none`, {skip}, async (t) => {
    const {pane} = await prepare(t)
    // Major and minor number of each process's controlling terminal, and of the one that the session has.
    const script = `perl -e 'my (undef, $own) = ((stat "/proc/self/fd/0")[6]) x 2; for (glob "/proc/[0-9]*/stat") { open my $file, "<", $_ or next; my $number = (split / /, <$file> =~ s/^.*[)] //sr)[4]; print "foreign $_\\n" if $number && $number != $own } print "loo", "ked\\n"'`
    await pane.enter(`envs run play -- ${script}`)
    assert.doesNotMatch(await pane.shows(/^looked$/m), /^foreign/m)
  })
}
