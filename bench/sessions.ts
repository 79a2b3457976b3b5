import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import type {Bench} from './invocation.js'
import type {Absence, Contender, Group} from './measure.js'
import type {Product} from './product.js'
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
      warm(product, 'envs run, warm', ['run', WARM, '--', 'true']),
      warm(product, 'envs enter, warm, at once left', ['enter', WARM]),
      cold(product, 'envs run, cold', ['run', COLD, '--', 'true']),
    ],
    absent,
  }
}

/** A call into an environment that runs: it goes on for a second after its last process. */
function warm(product: Product, name: string, argv: readonly string[]): Contender {
  return {
    name,
    side: 'ours',
    async prepare() {
      await product.run('run', WARM, '--', 'true')
      return product.call(...argv)
    },
  }
}

/** A call into an environment that is down. */
function cold(product: Product, name: string, argv: readonly string[]): Contender {
  return {
    name,
    side: 'ours',
    async prepare() {
      await product.run('stop', COLD)
      return product.call(...argv)
    },
  }
}
