import {release} from 'node:os'
import {capture} from '../src/host/process.js'
import type {Store} from './store.js'

/** The conditions of the table, in the order of their display. */
export type Facts = {
  readonly date: string
  readonly guest: string
  readonly envs: string
  readonly kernel: string
  readonly bubblewrap: string
  readonly utilLinux: string
  readonly node: string
}

/**
 * Describes the guest, by a separate environment, and the host.
 *
 * @throws {Error} If no environment works here.
 */
export async function readFacts(
  rootfs: string,
  {store, signal}: {store: Store; signal: AbortSignal},
): Promise<Facts> {
  const call = async (...argv: string[]) => {
    const {status, output} = await store.run(argv, {signal})
    if (status !== 0) throw new Error(`envs ${argv.join(' ')} ended with status ${status}: ${output.trim()}`)
    return output.trim()
  }
  await call('create', rootfs, '--name', 'facts', '--identity', 'emulated', '--quiet')
  const guest = await call('run', 'facts', '--', 'sh', '-c', DESCRIBE_GUEST)
  await call('rm', '--force', '--now', 'facts')
  return {
    date: new Date().toISOString().slice(0, 10),
    guest,
    envs: (/^envs\/(\S+)/.exec(await call('--version')) ?? [])[1] ?? 'unknown',
    kernel: release(),
    bubblewrap: await versionOf('bwrap'),
    utilLinux: await versionOf('unshare'),
    node: process.version,
  }
}

/** @see os-release(5) */
const DESCRIBE_GUEST =
  '. /etc/os-release; echo "$NAME $(cat /etc/debian_version) ($VERSION_CODENAME), $(dpkg --print-architecture)"'

/** The last word of the first line of `--version`. */
async function versionOf(tool: string): Promise<string> {
  const {stdout} = await capture([tool, '--version'])
  return stdout.split('\n')[0]?.split(' ').at(-1) ?? 'unknown'
}
