import assert from 'node:assert/strict'
import {once} from 'node:events'
import {createServer} from 'node:net'
import {test} from 'node:test'
import {recordedEngine} from '../../../src/sandbox/anchor-state.js'
import {IDENTITIES, sharedGuest, withVariables} from '../../support/guest.js'
import {whyNoOutlet} from '../../support/networks.js'

/**
 * What the root of a guest tries, with the answer of the kernel. See netdevice(7), rtnetlink(7), packet(7): the numbers are those of
 * asm-generic, and of the types of messages.
 */
const ATTEMPTS = `use Socket; my ($interface, $abstract) = @ARGV;
sub told { my ($what, $is_done) = @_; print "$what: ", $is_done ? 'done' : $! + 0, "\\n" }
socket(my $inet, AF_INET, SOCK_DGRAM, 0) or die;
my $address = pack 'a16 S n a4 x16', $interface, AF_INET, 0, "\\x0a\\x01\\x02\\x03";
told('set an address', ioctl($inet, 0x8916, $address));
my $down = pack 'a16 s x22', $interface, 0;
told('take an interface down', ioctl($inet, 0x8914, $down));
socket(my $netlink, 16, SOCK_RAW, 0) or die;
sub ask { my ($type, $content) = @_;
  send $netlink, pack('L S S L L', 16 + length $content, $type, 0x605, 1, 0) . $content, 0; recv $netlink, my $answer, 4096, 0;
  $! = -unpack 'x16 l', $answer; return $! == 0 }
told('add a route', ask(24, pack 'C8 L S S a4', AF_INET, 32, 0, 0, 254, 4, 253, 6, 0, 8, 1, "\\x0a\\x01\\x02\\x03"));
told('remove a route', ask(25, pack 'C8 L', AF_INET, 0, 0, 0, 254, 0, 0, 0, 0));
told('open a raw socket', socket(my $raw, AF_INET, SOCK_RAW, 1));
told('open a packet socket', socket(my $packet, 17, SOCK_RAW, 768));
for my $name (qw(ip_forward ip_unprivileged_port_start)) {
  told("write $name", open(my $file, '>', "/proc/sys/net/ipv4/$name")) }
socket(my $unix, AF_UNIX, SOCK_STREAM, 0) or die;
told('connect to an abstract socket of the host', connect($unix, pack('S a*', AF_UNIX, "\\0$abstract")));
`

const EXPECTED = `set an address: 1
take an interface down: 1
add a route: 1
remove a route: 1
open a raw socket: 1
open a packet socket: 97
write ip_forward: 13
write ip_unprivileged_port_start: 13
connect to an abstract socket of the host: 111
`

const NETWORKS = [
  ['none', 'lo', false],
  ['private', 'eth0', whyNoOutlet('pasta')],
] as const

for (const {identity, skip: noIdentity} of IDENTITIES) {
  const given = sharedGuest(identity)

  for (const [network, device, skip] of NETWORKS)
    for (const engine of ['bwrap', 'unshare'] as const)
      test(`${identity}, ${engine}: the guest's root can't change its network ${network}`, {
        skip: noIdentity === false ? skip : noIdentity,
      }, async (t) => {
        const guest = withVariables(await given(), {ENVS_ENGINE: engine})
        const name = `envs-test-${process.pid}`
        const server = createServer().listen({path: `\0${name}`})
        await once(server, 'listening')
        t.after(() => server.close())
        assert.equal((await guest.cli.run('set', 'play', `network=${network}`)).status, 0)
        const {stdout, stderr} = await guest.run('perl', '-e', ATTEMPTS, device, name)
        assert.equal(recordedEngine(guest.state), engine)
        await guest.cli.run('stop', 'play')
        assert.deepEqual([stdout, stderr], [EXPECTED, ''])
      })
}
