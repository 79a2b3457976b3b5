import {once} from 'node:events'
import {closeSync, openSync} from 'node:fs'
import {type DebArchitecture, systemCalls} from '../host/machine/arch.js'
import {pipeOf, start, started} from '../host/process.js'
import {GUEST_PATH} from './constants.js'
import {namespaceRefusedError} from './errors.js'

/**
 * The guest's user namespace:
 * - `second`: below the user namespace that owns its mounts and other namespaces: the guest's root can't change those.
 * - `of-root`: the same, with the host's user namespace as the upper one: root with CAP_SYS_ADMIN started envs.
 * - `only`: the one that owns its mounts, because the host forbids a second one: the guest's root can change its mounts.
 */
export type GuestNamespace = 'second' | 'of-root' | 'only'

/**
 * Returns an argv prefix for an engine that moves its guest into a second user namespace, passed as a descriptor.
 *
 * @param launcher - Argv prefix of templates/host/namespaces/second-namespace.pl.
 * @param options.processes - Limit for the processes and threads of all users of the namespace.
 */
export function secondNamespaceWords(
  launcher: readonly string[],
  {architecture, processes}: {readonly architecture: DebArchitecture; readonly processes: number},
): string[] {
  const {unshare, prlimit64} = systemCalls(architecture)
  return [...launcher, [unshare, prlimit64].join(','), String(processes)]
}

const HOLD = 'echo 0 >/proc/sys/user/max_cgroup_namespaces; echo; read -r _'

/** A user namespace that exists until it is released and its last process has ended. */
export type HeldNamespace = {readonly fd: number; release(): void}

/**
 * Makes the user namespace for a guest of the host's root, whose mounts belong to the host's user namespace.
 *
 * Sets the limit of cgroup namespaces to 0, so that the guest can't mount the host's control groups. The limit is in /proc/sys, which
 * is read-only in the guest. @see cgroup_namespaces(7), user_namespaces(7)
 *
 * @param prefix - Argv prefix that runs a program in a new user namespace.
 * @throws {NamespaceRefusedError} When the prefix fails.
 */
export async function holdNamespace(prefix: readonly string[]): Promise<HeldNamespace> {
  const child = start([...prefix, '/bin/sh', '-c', HOLD], {
    env: {PATH: GUEST_PATH},
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await started(child)
  const input = pipeOf(child, 0)
  input.on('error', () => {})
  const output = pipeOf(child, 1)
  // The 'end' of the pipe comes for certain; 'exit' may have come before this listener.
  const isMade = await Promise.race([
    once(output, 'data').then(() => true),
    once(output, 'end').then(() => false),
  ])
  if (!isMade) throw namespaceRefusedError()
  const fd = openSync(`/proc/${child.pid}/ns/user`, 'r')
  return {
    fd,
    release() {
      closeSync(fd)
      input.end()
    },
  }
}
