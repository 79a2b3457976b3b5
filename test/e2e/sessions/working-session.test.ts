import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {fileURLToPath} from 'node:url'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES} from '../../support/guest.js'
import {hostTerminal} from '../../support/host-terminal.js'
import {startPackageArchive} from '../../support/package-archive.js'
import {layeredTest as test} from '../../support/stacked-layers.js'

const EDITOR = fileURLToPath(new URL('../../support/programs/editor.pl', import.meta.url))
const GUEST_PROMPT = /^\(work\)root@work:.*#$/m
const HOST_PROMPT = /^host\$$/m

/** Of what unpacks, copies or starts on a busy machine. */
const LONG_MS = 60_000

/** Answers each connection with a line, as a small server of a developer's does. */
const SERVER = `#!/usr/bin/perl
use Socket;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "bind: $!";
listen($listener, 5);
$| = 1;
print "serving\\n";
while (accept(my $client, $listener)) { syswrite $client, "served by $$\\n"; close $client }
`

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

for (const {identity, skip} of IDENTITIES) {
  test(`a working session, ${identity}`, {skip}, async (t) => {
    const cli = await environmentCli(t)
    const archive = await startPackageArchive(t, ['first', 'second'])
    const port = await freePort()
    const terminal = await hostTerminal(t, cli)
    const [main, other, third] = [await terminal.open(), await terminal.open(), await terminal.open()]
    const connect = `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:${port}")->getline'`

    // Create, and enter.
    await main.enter(
      `envs create ${await debianRootfs()} --name work --identity ${identity}; echo sta""tus $?`,
    )
    await main.shows(/^status 0$/m, LONG_MS)
    await main.enter('envs enter work')
    await main.shows(GUEST_PROMPT)
    await main.enter('id -un; hostname; tty; stty size')
    await main.shows(/^root\nwork\n\/dev\/pts\/\d+\n24 80$/m)

    // Update, and install two packages one after the other.
    await main.enter(
      `rm -rf /etc/apt/sources.list.d; echo 'deb [trusted=yes] ${archive.origin} ./' >/etc/apt/sources.list; apt update; echo sta""tus $?`,
    )
    await main.shows(/^status 0$/m, LONG_MS)
    for (const name of ['first', 'second']) {
      await main.enter(`apt-get install -y ${name}; ${name}; echo sta""tus $?`)
      await main.shows(new RegExp(`^${name}\\nstatus 0$`, 'm'), LONG_MS)
    }

    // Edit a file in a full-screen editor.
    const put = (text: string, path: string) =>
      cli.runWith({input: text}, 'run', 'work', '--', 'sh', '-c', 'cat >"$1"; chmod 755 "$1"', 'sh', path)
    assert.equal((await put(await readFile(EDITOR, 'utf8'), '/usr/local/bin/editor')).status, 0)
    assert.equal((await put(SERVER, '/usr/local/bin/server')).status, 0)
    await main.enter('cd /srv; editor notes')
    await main.shows(/^-- notes --$/m)
    await main.type('some words')
    await main.shows(/^-- notes --\n\nsome words\n+24x80$/m)
    await main.resize(100, 30)
    await main.shows(/^-- notes --\n\nsome words\n+30x100$/m)
    await main.type('\x13')
    await main.shows(/^30x100 saved$/m)
    await main.type('\x11')
    await main.shows(GUEST_PROMPT)
    assert.doesNotMatch(await main.screen(), /-- notes --/)
    await main.enter('cat notes; stty size')
    await main.shows(/^some words\n30 100$/m)

    // A server in the background.
    await main.enter(`server ${port} &`)
    await main.shows(/serving$/m)
    await other.enter(connect)
    await other.shows(/^served by \d+$/m)

    // A snapshot from another terminal, while somebody types here.
    await main.enter(`sh -c 'echo rea""dy; exec cat'`)
    await main.shows(/^ready$/m)
    await main.type('before\r')
    await main.shows(/^before\nbefore$/m)
    await other.enter('envs snapshot work good; echo sta""tus $?')
    await other.shows(/^status 0$/m, LONG_MS)
    await main.type('after\r')
    await main.shows(/^after\nafter$/m)
    await other.enter(connect)
    await other.shows(/^served by \d+$/m)

    // Ctrl-Z and fg.
    await main.type('\x1a')
    await main.shows(/^\[2\]\+ +Stopped +sh -c/m)
    await main.enter('jobs')
    await main.shows(/^\[1\]- +Running +server \d+ &\n\[2\]\+ +Stopped +sh -c/m)
    await main.enter('fg')
    await main.shows(/^fg\nsh -c/m)
    await main.type('once more\r\x04')
    await main.shows(/^once more\nonce more$/m)

    // A second session, and what each sees of the other.
    await other.enter('envs enter work')
    await other.shows(GUEST_PROMPT)
    await other.enter('cat /srv/notes; echo from the other >/srv/other; exit 3')
    await other.shows(/^some words$/m)
    await other.shows(HOST_PROMPT)
    assert.equal(await other.ask('echo $?'), '3\n')
    await main.enter('cat /srv/other')
    await main.shows(/^from the other$/m)

    // A plain command that is stopped on the host, and goes on.
    await third.enter(`envs run work -- sh -c 'echo rea""dy; exec cat'`)
    await third.shows(/^ready$/m)
    await third.type('plain\r')
    await third.shows(/^plain\nplain$/m)
    await third.type('\x1a')
    await third.shows(/^\[1\]\+ +Stopped/m)
    await third.resume()
    await third.type('goes on\r\x04')
    await third.shows(/^goes on\ngoes on\nhost\$$/m)

    // What has changed.
    await other.enter('envs diff work')
    await other.shows(/second/, LONG_MS)
    await other.shows(HOST_PROMPT)

    // Exit, with the server left; and come back.
    await main.enter('exit 4')
    await main.shows(HOST_PROMPT)
    assert.equal(await main.ask('echo $?'), '4\n')
    assert.match(await main.ask('stty -a | tr -d ";"'), / icanon .* echo /s)
    await main.enter(connect)
    await main.shows(/^served by \d+$/m)
    assert.match(await main.ask('envs ps work'), /server \d+/)
    await main.enter('envs enter work')
    await main.shows(GUEST_PROMPT)
    await main.enter('cat /srv/notes /srv/other; exit')
    await main.shows(/^some words\nfrom the other$/m)
    await main.shows(HOST_PROMPT)

    // Stop, and take back what came after the last start or snapshot.
    await main.enter('envs stop work; echo sta""tus $?')
    await main.shows(/^status 0$/m, LONG_MS)
    await main.enter(`${connect} 2>/dev/null || echo no""body`)
    await main.shows(/^nobody$/m)
    await main.enter('envs undo work; echo sta""tus $?')
    await main.shows(/^status 0$/m, LONG_MS)
    await main.enter('envs run work -- sh -c \'cat /srv/notes; ls /srv; second\'; echo sta""tus $?')
    await main.shows(/^some words\nnotes\nsecond\nstatus 0$/m, LONG_MS)
    await main.enter('envs stop work; envs list')
    await main.shows(/^work .*stopped/m)
  })
}
