import {once} from 'node:events'
import {capture, start} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, runAsUser} from './invocation.js'
import type {Absence, Contender, Group} from './measure.js'
import {openPodman, type Podman} from './podman.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

/** Addresses for measurements of networks (RFC 2544), of the host and of another network. */
const [NEAR, FAR] = ['198.18.250.1', '198.18.250.2']
const INTERFACE = 'envs-bench0'
const PORT = 4711
const CONTAINER = 'envs-bench-network'

/** Answers by the first letter: c closes, e echoes, i sends, o reads to the end. */
const SERVER = `use Socket; $SIG{CHLD} = 'IGNORE'; socket(my $s, AF_INET, SOCK_STREAM, 0) or die; setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
bind($s, pack_sockaddr_in(${PORT}, INADDR_ANY)) && listen($s, 1024) or die; $| = 1; print "ready\\n"; my $block = "\\0" x 131072;
while (accept my $c, $s) { if (fork) { close $c; next } setsockopt $c, 6, 1, 1; sysread $c, my $kind, 1;
  if ($kind eq 'e') { while (sysread $c, my $x, 64) { syswrite $c, $x } }
  elsif ($kind eq 'i') { 1 while syswrite $c, $block }
  elsif ($kind eq 'o') { 1 while sysread $c, my $x, 131072; syswrite $c, 'x' } exit }`

/** Arguments: kind, count of round trips or connections, or of bytes. */
const CLIENT = `use Socket; my ($kind, $count) = @ARGV; my $to = pack_sockaddr_in(${PORT}, inet_aton('${FAR}'));
sub reach { my $s; socket($s, AF_INET, SOCK_STREAM, 0) && connect($s, $to) or die "$!\\n"; setsockopt $s, 6, 1, 1; syswrite $s, $kind; return $s }
if ($kind eq 'c') { for (1 .. $count) { my $s = reach(); sysread $s, my $x, 1 } exit }
my $s = reach(); my $block = "\\0" x 131072;
if ($kind eq 'e') { for (1 .. $count) { syswrite $s, 'x'; sysread $s, my $x, 1 } }
elsif ($kind eq 'i') { while ($count > 0) { $count -= sysread $s, my $x, 131072 or die } }
else { while ($count > 0) { $count -= syswrite $s, $block } shutdown $s, 1; sysread $s, my $x, 1 }`

const MEGABYTE = 2 ** 20
const KINDS = [
  ['Round trips', 'e', 10_000, '10,000 round trips of one byte'],
  ['Connections', 'c', 2_000, '2,000 connections, one after the other'],
  ['Bytes in', 'i', 512 * MEGABYTE, '512 MiB from the server'],
  ['Bytes out', 'o', 512 * MEGABYTE, '512 MiB to the server'],
] as const

/**
 * Compares connections of environments with private networks to a server in another network with those of the host, and of a container of
 * podman with pasta.
 *
 * Makes environments in the product's store; the caller clears it. Run it by root with --as USER: root makes the network of the server.
 *
 * @throws {InvocationFailedError} If this is not root, or the host has no ip(8).
 */
export async function networkGroups(
  rootfs: string,
  {product, bench, isQuick}: {readonly product: Product; readonly bench: Bench; readonly isQuick: boolean},
): Promise<{readonly groups: readonly Group[]; close(): Promise<void>}> {
  const server = await openServer(bench)
  const absent: Absence[] = []
  const podman = await openPodman(rootfs, bench)
  if ('reason' in podman) absent.push(podman)
  try {
    const clients = [
      {name: 'no environment', side: 'peer' as const, call: (...argv: string[]): Invocation => ({argv})},
      ...('reason' in podman ? [] : [await byPodman(podman, bench)]),
      await byEnvs(rootfs, product, 'pasta'),
      await byEnvs(rootfs, product, 'slirp4netns'),
    ]
    const groups = KINDS.map(([title, kind, count, compared]) => ({
      title,
      compared: `${isQuick ? 'A tenth of ' : ''}${compared}, by a program that is started in an environment or container that runs.`,
      reference: 'no environment',
      contenders: clients.map(({name, side, call}): Contender => {
        const words = ['perl', '-e', CLIENT, kind, String(isQuick ? Math.ceil(count / 10) : count)]
        return fixed(name, side, call(...words))
      }),
      absent,
    }))
    return {
      groups,
      async close() {
        await server.close()
        if (!('reason' in podman)) await podman.close()
      },
    }
  } catch (error) {
    await server.close()
    if (!('reason' in podman)) await podman.close()
    throw error
  }
}

async function byEnvs(rootfs: string, product: Product, tool: string) {
  const name = `by-${tool}`
  // The tool that is set decides when the environment starts.
  await product.run('config', 'set', 'networkTool', tool)
  await product.run('create', rootfs, '--name', name, '--network', 'private', '--quiet')
  await product.run('run', '--detach', name, '--', 'sleep', '3600')
  return {
    name: `private by ${tool}`,
    side: 'ours' as const,
    call: (...argv: string[]) => product.front('run', name, '--', ...argv),
  }
}

async function byPodman({image, variables}: Podman, bench: Bench) {
  const told = {...bench, environment: {...bench.environment, ...variables}}
  const run = ['podman', 'run', '--detach', '--rm', '--name', CONTAINER, '--network=pasta', image]
  await runAsUser([...run, 'sleep', '3600'], told)
  return {
    name: 'podman with pasta',
    side: 'peer' as const,
    call: (...argv: string[]): Invocation => ({argv: ['podman', 'exec', CONTAINER, ...argv], variables}),
  }
}

/** Starts the server in a network of its own, beside that of the host. */
async function openServer({folder, environment}: Bench): Promise<{close(): Promise<void>}> {
  const options = {cwd: folder, env: environment}
  const child = start(['unshare', '--net', 'perl', '-e', `sysread STDIN, my $x, 1; ${SERVER}`], {
    ...options,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const close = async () => {
    child.kill('SIGKILL')
  }
  const inside = ['nsenter', '--net', '--target', String(child.pid)]
  try {
    const veth = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(child.pid)]
    for (const argv of [
      // It has its network by then.
      ['sh', '-c', `while [ /proc/${child.pid}/ns/net -ef /proc/self/ns/net ]; do :; done`],
      ['ip', 'link', 'add', INTERFACE, ...veth],
      ['ip', 'address', 'add', `${NEAR}/30`, 'dev', INTERFACE],
      ['ip', 'link', 'set', INTERFACE, 'up'],
      [...inside, 'ip', 'address', 'add', `${FAR}/30`, 'dev', 'eth0'],
      [...inside, 'ip', 'link', 'set', 'eth0', 'up'],
    ]) {
      const {status, stderr} = await capture(argv, options)
      if (status !== 0) throw new InvocationFailedError(argv, status, stderr.trim())
    }
    child.stdin?.write('x')
    if (child.stdout !== null) await once(child.stdout, 'data')
    return {close}
  } catch (error) {
    await close()
    throw error
  }
}
