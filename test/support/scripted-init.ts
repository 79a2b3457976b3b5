import assert from 'node:assert/strict'
import {openHost} from '../../src/host/host.js'
import {findCgroups} from '../../src/sandbox/init/cgroups.js'
import {type Guest, sharedGuest} from './guest.js'

/** Why no guest can boot with an init here; false where one can. */
export const WHY_NO_BOOT: string | false =
  (await findCgroups(openHost())) === undefined
    ? 'this host has no control groups for an init'
    : openHost().uid === 0 && 'root boots no guest'

/** An entry of /var/lib/dpkg/status: envs looks for systemd there alone. */
export const SYSTEMD_ENTRY = `Package: systemd-sysv
Status: install ok installed
Version: 1
Architecture: all
Description: a script
`

/** Tells the keeper that the boot is over, and ends by the signals of systemd(1), unless /run/deaf is there; with 7 by USR1. */
export const POLITE_INIT = `#!/usr/bin/perl
use Socket;
$SIG{CHLD} = 'IGNORE';
$SIG{NUM37} = $SIG{NUM47} = sub { exit 0 unless -e '/run/deaf' };
$SIG{USR1} = sub { exit 7 };
open(my $up, '>', '/run/up');
socket(my $keeper, AF_UNIX, SOCK_DGRAM, 0);
send $keeper, 'READY=1', 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET});
sleep 1 while 1;
`

const SYSTEMCTL = `#!/bin/sh
[ "$1" != is-system-running ] || if [ -e /run/up ]; then echo running; else echo starting; fi
`

/**
 * One environment with init=systemd whose /sbin/init is {@link POLITE_INIT}, a whole tree in a folder of the user; shared by the
 * tests of a file.
 */
export function scriptedGuest(): () => Promise<Guest> {
  const play = sharedGuest('emulated', {isPlain: true})
  let prepared: Promise<Guest> | undefined
  return () => {
    prepared ??= play().then(prepare)
    return prepared
  }
}

async function prepare(guest: Guest): Promise<Guest> {
  const {cli, runWith} = guest
  for (const [path, text] of [
    ['/sbin/init', POLITE_INIT],
    ['/usr/local/sbin/systemctl', SYSTEMCTL],
  ] as const) {
    const put = await runWith(
      {input: text},
      'sh',
      '-c',
      'rm -f "$1"; cat >"$1" && chmod 755 "$1"',
      'sh',
      path,
    )
    assert.equal(put.status, 0, put.stderr)
  }
  const listed = await runWith({input: SYSTEMD_ENTRY}, 'sh', '-c', '{ echo; cat; } >>/var/lib/dpkg/status')
  assert.equal(listed.status, 0, listed.stderr)
  for (const words of [
    ['stop', 'play'],
    ['set', 'play', 'init=systemd'],
  ]) {
    const ran = await cli.run(...words)
    assert.equal(ran.status, 0, ran.stderr)
  }
  return guest
}
