import assert from 'node:assert/strict'
import {once} from 'node:events'
import {accessSync, constants} from 'node:fs'
import {createConnection, createServer, type Server} from 'node:net'
import {networkInterfaces} from 'node:os'
import {unlessErrno} from '../../src/host/errno.js'
import {openHost} from '../../src/host/host.js'
import {type OutletName, TUN_DEVICE} from '../../src/sandbox/network/outlet.js'
import type {Scope} from './cli.js'
import type {Guest} from './guest.js'

/** Why this host has no private network by a program; false where it has one. */
export function whyNoOutlet(tool: OutletName): string | false {
  if (openHost().which(tool) === undefined) return `${tool} is not installed`
  const isOpen = unlessErrno(() => accessSync(TUN_DEVICE, constants.R_OK | constants.W_OK) ?? true) === true
  return isOpen ? false : `${TUN_DEVICE} is closed to this user`
}

/** Addresses of the host but those of its loopback, by family. */
export function hostAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({internal, address}) => !internal && !address.startsWith('fe80'))
    .map(({address}) => address)
}

/** A listener of the host that closes each connection; ends with the scope. @returns Its port. */
export async function hostListener(
  t: Scope,
  options: {host?: string; port?: number; path?: string},
): Promise<number> {
  const server: Server = createServer((socket) => socket.end())
  server.listen({port: 0, ...options})
  await once(server, 'listening')
  t.after(async () => {
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Prints the errno of a connection to an address and a port, 0 for one that is made. Arguments: tcp or udp, address, port. */
const CONNECT = `use Socket qw(:all); my ($kind, $to, $port) = @ARGV;
my $family = $to =~ /:/ ? AF_INET6 : AF_INET; my $at = inet_pton($family, $to);
socket(my $s, $family, $kind eq 'udp' ? SOCK_DGRAM : SOCK_STREAM, 0) or die;
print connect($s, $family == AF_INET6 ? pack_sockaddr_in6($port, $at) : pack_sockaddr_in($port, $at)) ? 0 : $! + 0`

/** Returns the errno of a connection from the guest. */
export async function connectFrom(
  guest: Guest,
  kind: 'tcp' | 'udp',
  address: string,
  port: number,
): Promise<number> {
  const {status, stdout, stderr} = await guest.run('perl', '-e', CONNECT, kind, address, String(port))
  assert.deepEqual([status, stderr], [0, ''])
  return Number(stdout)
}

/** Listens, and answers each connection with its words, until the environment ends. */
const SERVER = `use Socket qw(:all); my ($at, $port, $words) = @ARGV; $SIG{PIPE} = 'IGNORE';
my $family = $at =~ /:/ ? AF_INET6 : AF_INET; socket(my $s, $family, SOCK_STREAM, 0) or die "socket: $!";
setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
my $a = inet_pton($family, $at); bind($s, $family == AF_INET6 ? pack_sockaddr_in6($port, $a) : pack_sockaddr_in($port, $a)) or die "bind: $!";
listen $s, 128; exit 0 if fork; close STDOUT; close STDERR; close STDIN;
while (accept my $c, $s) { syswrite $c, $words; shutdown $c, 1; sysread $c, my $x, 1; close $c }`

/** Starts {@link SERVER} in the guest. */
export async function startServer(guest: Guest, at: string, port: number, words: string): Promise<void> {
  const {status, stderr} = await guest.run('perl', '-e', SERVER, at, String(port), words)
  assert.deepEqual([status, stderr], [0, ''])
}

/** Returns what a server answers at a port of the host; the errno's name where none answers. */
export async function readFrom(port: number, host = '127.0.0.1'): Promise<string> {
  const socket = createConnection({port, host})
  try {
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    socket.destroy()
  }
}
