import assert from 'node:assert/strict'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {ownGuest} from '../../support/guest.js'
import {onRestrictedHost} from '../../support/restricted-host.js'
import {canSimulate} from '../../support/simulated-host.js'

const skip =
  process.getuid?.() === 0
    ? 'these are hosts of an ordinary user'
    : !(await canSimulate()) && 'this host lets no user make a user namespace'

/** A server at an address that is none of the host's, until a minute has passed: a route of the type local leads to it. */
const SERVER = `require "${templatePath('host/network/namespace.pl')}"; require "${templatePath('host/network/routes.pl')}";
our $report = *STDERR; socket(my $d, 2, 2, 0); my $r = pack "a16sx22", "lo", 1; ioctl $d, 0x8914, $r or die "lo: $!";
add_route(open_routes(0), {to => pack("C4", 198, 51, 100, 1), length => 32, type => 2, scope => 254, interface => pack("L", 1)});
socket(my $s, 2, 1, 0); bind $s, pack("Sna4x8", 2, 80, pack "C4", 198, 51, 100, 1) or die "bind: $!"; listen $s, 9;
exit 0 if fork; close STDOUT; close STDERR; alarm 60;
while (accept my $c, $s) { sysread $c, my $x, 999; syswrite $c, "HTTP/1.0 200 OK\\r\\n\\r\\nyou asked: $x"; close $c }`

const HOSTS = '198.51.100.1 deb.example.org evil.example.org\\n127.0.0.1 local.example.org'

const PREPARE = `perl -e '${SERVER}'
printf '${HOSTS}\\n' >/tmp/hosts.$$; mount --bind /tmp/hosts.$$ /etc/hosts; rm /tmp/hosts.$$`

/** Asks the proxy for each URL, and prints the first line of each answer, and those with "asked". */
const ASK = `for url; do exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET %s HTTP/1.1\\r\\nProxy-Connection: keep-alive\\r\\n\\r\\n' "$url" >&3
tr -d '\\r' <&3 | sed -n '1p; /asked/p'; done; echo "$http_proxy"`

test('an environment reaches the hosts of its list through a proxy, and no other', {skip}, async (t) => {
  const behind = onRestrictedHost({isOffline: true, prepare: PREPARE})
  const guest = await ownGuest(t, 'emulated', {behind, isPlain: true})
  const set = await guest.cli.run('set', 'play', 'network=none', 'allow-host=.example.org,deb.example.net:81')
  assert.equal(set.status, 0, set.stderr)
  const urls = [
    'http://deb.example.org/x',
    'http://deb.example.org:81/',
    'http://example.com/',
    'http://local.example.org/',
    'http://198.51.100.1/',
    'http://none.example.org/',
    'ftp://deb.example.org/',
  ]
  const {stdout, stderr} = await guest.run('bash', '-c', ASK, 'bash', ...urls)
  assert.equal(stderr, '')
  assert.deepEqual(stdout.trim().split('\n'), [
    'HTTP/1.0 200 OK',
    'you asked: GET /x HTTP/1.1',
    'HTTP/1.1 403 deb.example.org:81 is not allowed by envs',
    'HTTP/1.1 403 example.com:80 is not allowed by envs',
    'HTTP/1.1 403 local.example.org leads to this host',
    'HTTP/1.1 403 198.51.100.1:80 is not allowed by envs',
    'HTTP/1.1 502 none.example.org has no address',
    'HTTP/1.1 400 Bad Request',
    'http://127.0.0.1:3128',
  ])
})
