import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import type {Bench, Invocation} from './invocation.js'
import type {Absence, Contender, Group} from './measure.js'
import type {Product} from './product.js'
import {measureSessionMemory, type SessionMemory} from './session-memory.js'
import {fixed} from './startup.js'

const [WARM, COLD] = ['warm', 'cold'] as const

/** What runs `true` in a tree without envs; the program comes first. */
function peerCommands(root: string): Readonly<Record<string, readonly string[]>> {
  const bwrap = ['bwrap', '--unshare-all', '--share-net', '--uid', '0', '--gid', '0', '--bind', root, '/']
  const unshare = ['--pid', '--fork', '--mount', '--mount-proc', '--root', root]
  return {
    'raw bwrap': [...bwrap, '--dev', '/dev', '--proc', '/proc', 'true'],
    'raw bwrap, bash -l': [...bwrap, '--dev', '/dev', '--proc', '/proc', 'bash', '-l'],
    unshare: ['unshare', '--user', '--map-root-user', ...unshare, 'true'],
    'unshare, with a range of ids': [
      ...['unshare', '--user', '--map-auto', '--map-root-user', ...unshare],
      'true',
    ],
  }
}

/**
 * One short command in an environment, beside what the host's own tools take for it in the same tree.
 *
 * Makes two environments in the product's store; to be cleared by the caller.
 *
 * @throws {InvocationFailedError} When no environment can be made or run here.
 */
export async function sessionGroup(
  rootfs: string,
  {product, home, bench}: {product: Product; home: string; bench: Bench},
): Promise<Group> {
  await product.run('create', rootfs, '--name', WARM, '--quiet')
  // A plain tree, which the peers enter too.
  await product.run('create', rootfs, '--name', COLD, '--storage', 'directory', '--quiet')
  await product.run('run', WARM, 'true')
  await product.run('shim', WARM, 'true', '--quiet')
  const shim = join(bench.environment['HOME'] ?? bench.folder, '.local', 'bin', 'true')
  const root = join(home, 'data', 'environments', COLD, 'rootfs')
  const peers = Object.entries(peerCommands(root))
  const isThere = (argv: readonly string[]) =>
    argv[0] !== undefined && findProgram(argv[0], bench.environment['PATH'] ?? '') !== undefined
  const absent: Absence[] = peers
    .filter(([, argv]) => !isThere(argv))
    .map(([name, [program]]) => ({name, reason: `${program} is not installed`}))
  return {
    title: 'Sessions',
    reference: 'raw bwrap',
    contenders: [
      ...peers.filter(([, argv]) => isThere(argv)).map(([name, argv]) => fixed(name, 'peer', {argv})),
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      warm(product, 'envs run, warm', product.front('run', WARM, '--', 'true')),
      warm(product, 'envs enter, warm, at once left', product.front('enter', WARM)),
      warm(product, 'a shim, warm', {argv: [shim]}),
      warm(product, 'envs run, warm, by Node alone', product.call('run', WARM, '--', 'true')),
      cold(product, 'envs run, cold', product.front('run', COLD, '--', 'true')),
    ],
    absent,
  }
}

/** What such a session keeps in memory, beside bwrap alone. The environments are those of {@link sessionGroup}. */
export async function sessionMemory({
  product,
  home,
  bench,
}: {
  product: Product
  home: string
  bench: Bench
}): Promise<SessionMemory> {
  // So that none of the sessions is the one that starts it.
  await product.run('run', WARM, 'sh', '-c', 'sleep 60 >/dev/null 2>&1 &')
  const root = join(home, 'data', 'environments', COLD, 'rootfs')
  const bwrap = peerCommands(root)['raw bwrap']?.slice(0, -1) ?? []
  const asleep = ['run', WARM, '--', 'sleep', '60'] as const
  return measureSessionMemory(
    {
      'raw bwrap': {argv: [...bwrap, 'sleep', '60']},
      'envs run, warm': product.front(...asleep),
      'envs run, warm, by Node alone': product.call(...asleep),
    },
    bench,
  )
}

/** A call into an environment that runs: it goes on for a second after its last process. */
function warm(product: Product, name: string, invocation: Invocation): Contender {
  return {
    name,
    side: 'ours',
    async prepare() {
      await product.run('run', WARM, '--', 'true')
      return invocation
    },
  }
}

/** A call into an environment that is down. */
function cold(product: Product, name: string, invocation: Invocation): Contender {
  return {
    name,
    side: 'ours',
    async prepare() {
      await product.run('stop', COLD)
      return invocation
    },
  }
}
