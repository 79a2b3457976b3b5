import {once} from 'node:events'
import {closeSync, openSync} from 'node:fs'
import {pipeOf, start, started} from '../host/process.js'
import {NamespaceRefusedError} from './errors.js'
import {GUEST_PATH} from './guest-path.js'

/** A user namespace that exists for as long as it is held, or something lives in it. */
export type HeldNamespace = {readonly fd: number; release(): void}

/**
 * Makes the user namespace that a guest of the host's root is put in, apart from the one that its mounts belong to.
 *
 * So the guest's root has no say over its mounts: what is read-only stays so, for mounts that came from a more
 * privileged namespace are locked. @see mount_namespaces(7), user_namespaces(7)
 *
 * @param prefix - Words that run a program in a new user namespace.
 * @throws {NamespaceRefusedError} When they fail.
 */
export async function holdNamespace(prefix: readonly string[]): Promise<HeldNamespace> {
  const child = start([...prefix, '/bin/sh', '-c', 'echo; read -r _'], {
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
  if (!isMade) throw new NamespaceRefusedError()
  const fd = openSync(`/proc/${child.pid}/ns/user`, 'r')
  return {
    fd,
    release() {
      closeSync(fd)
      input.end()
    },
  }
}
