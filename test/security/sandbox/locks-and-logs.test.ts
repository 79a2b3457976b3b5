import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {test} from 'node:test'
import {putProgram} from '../../support/guest.js'
import {namespaceCases} from '../../support/namespace-cases.js'
import {startSession} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** What every process of the guest has open, but for this one: a line for each that is no pipe, socket or device. */
const LIST = `#!/usr/bin/perl
for my $path (glob '/proc/[0-9]*/fd/*') {
  next if $path =~ m{^/proc/$$/};
  my $target = readlink $path;
  next unless defined $target;
  next if $target =~ m{^(?:pipe|socket|anon_inode):|^/dev/(?:null|zero|full|random|urandom|tty|ptmx|pts/\\d+|pts/ptmx|console)\\z};
  next if -p $path;
  print "$path $target\\n";
}
print "looked\\n";
`

/** Does to each open description of the other processes whatever could hold up or harm who relies on it, and stays. */
const SPOIL = `#!/usr/bin/perl

$| = 1;
my @kept;
for my $path (glob '/proc/[0-9]*/fd/*') {
  next if $path =~ m{^/proc/$$/} || -c $path || readlink($path) =~ /^(?:socket|anon_inode):/;
  for my $mode ('+<', '<', '>>') {
    next if -p $path && $mode ne '+<';
    open my $file, $mode, $path or next;
    flock $file, 2 | 4;
    chmod 0, $file;
    push @kept, $file;
    next unless -f $file;
    print "opened $mode ", readlink($path), "\\n";
    truncate $file, 0;
    syswrite $file, "x" x 4096 if $mode ne '<';
  }
}
print "ready\\n";
sleep 300;
`

for (const {title, skip, play} of namespaceCases()) {
  test(`${title}: no process of the guest has a file or a folder of the host open`, {skip}, async () => {
    const guest = await play()
    await putProgram(guest, '/usr/local/bin/list-open', LIST)
    await mkdir(`${guest.cli.home}/folder`, {recursive: true})
    const session = await startSession(guest, 'echo ready; exec sleep 20')
    const ran = await guest.onHost(
      `exec 7<folder 8>>file 20<folder; echo text >input; envs run play list-open <input >output 2>>errors; cat output errors`,
    )
    process.kill(session.pid, 'SIGTERM')
    await session.ended()
    assert.equal(ran.stdout, 'looked\n')
  })

  test(`${title}: a guest that spoils all that it can open holds nobody up`, {skip}, async () => {
    const guest = await play()
    await putProgram(guest, '/usr/local/bin/spoil', SPOIL)
    const session = await startSession(guest, 'exec spoil')
    assert.doesNotMatch(session.output(), /^opened/m)
    const {cli} = guest
    assert.equal((await guest.run('echo', 'runs')).stdout, 'runs\n')
    assert.equal((await cli.run('ps', 'play')).status, 0)
    assert.equal((await cli.run('snapshot', 'play')).status, 0)
    assert.equal((await cli.run('list')).status, 0)
    assert.equal((await cli.run('doctor', '--repair')).signal, null)
    assert.equal((await cli.run('prune', '--yes')).status, 0)
    assert.equal((await cli.run('stop', '--force', 'play')).status, 0)
    await waitUntil('its end', () => session.process.exitCode !== null || session.process.signalCode !== null)
    assert.equal((await guest.run('echo', 'again')).stdout, 'again\n')
  })
}
