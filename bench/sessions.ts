import {join} from 'node:path'
import type {Bench, Invocation} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openPeers, REFERENCE} from './peers.js'
import type {Product} from './product.js'
import {measureSessionMemory, type SessionMemory, SLEEP} from './session-memory.js'
import {fixed} from './startup.js'

export const WARM = 'warm'
const COLD = 'cold'

/**
 * Compares one short command in an environment with the host's own tools in the same tree.
 *
 * Makes two environments in the product's store; the caller clears it.
 *
 * @returns The group, its peers with a command that sleeps, and a function that ends their processes.
 * @throws {InvocationFailedError} If no environment can be made or run here.
 */
export async function sessionGroup(
  rootfs: string,
  {product, home, bench}: {product: Product; home: string; bench: Bench},
): Promise<{group: Group; asleep: readonly Contender[]; close: () => Promise<void>}> {
  await product.run('create', rootfs, '--name', WARM, '--quiet')
  // A plain tree, which the peers enter too.
  await product.run('create', rootfs, '--name', COLD, '--storage', 'directory', '--quiet')
  await product.run('run', WARM, 'true')
  await product.run('shim', WARM, 'true', '--quiet')
  const shim = join(bench.environment['HOME'] ?? bench.folder, '.local', 'bin', 'true')
  const root = join(home, 'data', 'environments', COLD, 'rootfs')
  const {contenders, absent, note, asleep, close} = await openPeers({root, rootfs, bench})
  const group = {
    title: 'Sessions',
    compared:
      'From the call to its end, running `true` (or a shell that ends at once) in the same Debian: in a plain tree by the ' +
      `host's tools, in a container of it by podman, and in environments.${note}`,
    reference: REFERENCE,
    contenders: [
      ...contenders,
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      warm(product, 'envs run, warm', product.front('run', WARM, '--', 'true')),
      warm(product, 'envs enter, warm, at once left', product.front('enter', WARM)),
      warm(product, 'a shim, warm', {argv: [shim]}),
      warm(product, 'envs run, warm, by Node alone', product.call('run', WARM, '--', 'true')),
      cold(product, 'envs run, cold', product.front('run', COLD, '--', 'true')),
    ],
    absent,
  }
  return {group, asleep, close}
}

/** Compares the memory of such sessions. The environments are those of {@link sessionGroup}. */
export async function sessionMemory(
  peers: readonly Contender[],
  {product, ...options}: {product: Product; bench: Bench; isQuick: boolean},
): Promise<SessionMemory> {
  // So that none of the measured sessions starts it.
  await product.run('run', WARM, 'sh', '-c', 'sleep 60 >/dev/null 2>&1 &')
  const asleep = ['run', WARM, '--', ...SLEEP] as const
  const ours = [
    fixed('envs run, warm', 'ours', product.front(...asleep)),
    fixed('envs run, warm, by Node alone', 'ours', product.call(...asleep)),
  ]
  return measureSessionMemory([...peers, ...ours], options)
}

/** An invocation in a running environment, which continues for a second after its last process. */
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

/** An invocation in a stopped environment. */
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
