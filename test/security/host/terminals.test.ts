import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {waitUntil} from '../../support/wait-until.js'

/**
 * Tries to open every terminal that has a name anywhere, writes to each that works, and tells of it.
 *
 * Left out are those given as arguments, `DEVICE:NODE` as numbers; /dev/tty, which is the session's own terminal by
 * another name; and ptmx, which makes a new terminal and leads to no other.
 */
const OPEN_ALL = `
  my %own = map { $_ => 1 } @ARGV;
  my @paths = glob("/dev/pts/* /dev/tty* /dev/console /proc/[0-9]*/fd/* /proc/[0-9]*/root/dev/pts/*");
  for my $path (@paths) {
    open(my $file, "+<", $path) or next;
    my ($device, $node) = (stat $file)[0, 6];
    next if !-t $file || $own{"$device:$node"} || $node == 0x500 || $node == 0x502;
    print "opened $path\n";
    syswrite $file, "INTRUDER";
  }
  print @paths > 5 ? "tried\n" : "found nothing to try\n";
`

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: no terminal of the user's can be opened from a session without one`, {
    skip,
  }, async (t) => {
    const victim = await startVictim(t)
    const ran = await (await play()).run('perl', '-e', OPEN_ALL)
    assert.equal(ran.stdout, 'tried\n')
    assert.equal(victim.screen(), victim.name)
  })

  test(`${identity}: a session on a terminal opens that and no other`, {skip}, async (t) => {
    const victim = await startVictim(t)
    const guest = await play()
    await guest.runWith({input: OPEN_ALL}, 'sh', '-c', 'cat >/root/open-all.pl')
    const {screen} = await onTerminal(
      guest,
      `envs run play sh -c 'perl /root/open-all.pl "$@" $(stat -c %d:%r $(tty))' sh $(stat -c %d:%r $(tty))`,
    )
    assert.equal(screen, 'tried\r\n')
    assert.equal(victim.screen(), victim.name)
  })

  test(`${identity}: the terminals of the host are not in /dev/pts`, {skip}, async (t) => {
    const victim = await startVictim(t)
    const ran = await (await play()).sh('ls /dev/pts; ls -d /dev/tty[0-9]* /dev/vcs* 2>/dev/null')
    assert.equal(ran.stdout, 'ptmx\n', victim.name)
  })

  test(`${identity}: nothing can be typed into the terminal that the session has`, {skip}, async () => {
    // TIOCSTI of linux/asm-generic/ioctls.h; a kernel may refuse it too, with another errno.
    const program = 'my $c = "x"; ioctl(STDIN, 0x5412, $c) and print "typed"; print $! + 0, "\\n"'
    const {screen} = await onTerminal(await play(), `envs run play perl -e '${program}'`)
    assert.equal(screen, '1\r\n')
  })
}

/** A terminal of the same user, as a login elsewhere would have it; its screen shows all that is written to it. */
async function startVictim(t: {after(tidyUp: () => void): void}) {
  const child = spawn('script', ['-qfc', 'tty; stty -echo; exec sleep 60', '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.after(() => child.kill())
  let screen = ''
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString('utf8')
  })
  await waitUntil('a terminal', () => screen.endsWith('\n'))
  const name = screen
  // That the test would see an intruder: the user may write there, from outside.
  const path = name.trim()
  assert.equal((await capture(['sh', '-c', 'exec 3<>"$1"', 'sh', path])).status, 0)
  return {name, screen: () => screen}
}
