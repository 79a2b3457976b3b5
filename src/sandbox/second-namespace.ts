import {once} from 'node:events'
import {closeSync, openSync} from 'node:fs'
import {type DebArchitecture, systemCalls} from '../host/arch.js'
import {pipeOf, start, started} from '../host/process.js'
import {GUEST_PATH} from './constants.js'
import {namespaceRefusedError} from './errors.js'

/**
 * The guest's user namespace:
 * - `second`: one below that of its mounts and its other namespaces, over which its root has no say.
 * - `of-root`: the same, where the upper one is the host's own: root with a say over mounts started it.
 * - `only`: that of its mounts too, where the host forbids a second one: its root can change them.
 */
export type GuestNamespace = 'second' | 'of-root' | 'only'

/**
 * Words before an engine that is to put its guest into a second user namespace, which it finds at a descriptor.
 *
 * @param launcher - Words that start templates/host/second-namespace.pl.
 * @param options.processes - How many processes and threads the namespace may have, with all its users.
 */
export function secondNamespaceWords(
  launcher: readonly string[],
  {architecture, processes}: {readonly architecture: DebArchitecture; readonly processes: number},
): string[] {
  const {unshare, prlimit64} = systemCalls(architecture)
  return [...launcher, [unshare, prlimit64].join(','), String(processes)]
}

const HOLD = 'echo 0 >/proc/sys/user/max_cgroup_namespaces; echo; read -r _'

/** A user namespace that exists for as long as it is held, or something lives in it. */
export type HeldNamespace = {readonly fd: number; release(): void}

/**
 * Makes the user namespace that a guest of the host's root is put in: the one that its mounts belong to is the host's own.
 *
 * So that it can have no control groups of the host's in view, it may make no namespace of them: the count is in /proc/sys, which
 * is read-only for it. @see mount_namespaces(7), user_namespaces(7)
 *
 * @param prefix - Words that run a program in a new user namespace.
 * @throws {NamespaceRefusedError} When they fail.
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
  // Its end comes for certain, where 'exit' may have been before anybody listened.
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
