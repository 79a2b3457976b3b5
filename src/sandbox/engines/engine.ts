import {templateText} from '../../host/paths.js'
import {secondNamespaceWords} from '../second-namespace.js'
import type {SandboxSpec} from '../spec.js'

/** Engines that start an environment's first process; `proot` starts none. */
export type AnchorEngineName = 'bwrap' | 'unshare'

/** Numbers of the descriptors that an anchor inherits; templates/guest/holder.sh uses the same numbers. */
export const AnchorFd = {
  info: 3,
  ready: 4,
  looks: 5,
  alive: 6,
  options: 7,
  filter: 8,
  userNamespace: 9,
  requests: 10,
} as const

/** Turns a sandbox into a command line that makes the namespaces and mounts, and starts the first process. */
export type AnchorEngine = {
  readonly name: AnchorEngineName
  /** Whether the engine stays beside pid 1 until that ends. */
  readonly leavesMonitor: boolean
  /**
   * Returns the argv without the options. envs writes those to a descriptor, because `ps` in the guest shows the engine's argv.
   *
   * @param holder - Text of a shell script.
   */
  command(spec: SandboxSpec, holder: string): Promise<string[]>
  /** @param stage - A folder of the host on which the engine may mount a tree, in its own mount namespace. */
  options(spec: SandboxSpec, stage: string): string[]
}

/** Returns the argv prefix of templates/host/namespaces/second-namespace.pl. @throws {PerlMissingError} */
export type SecondNamespaceLauncher = () => readonly string[]

/** Returns the argv prefix of an engine: each program in it prepares one part, and executes the next. */
export function enginePrefix(
  {userNamespace: {guest, prefix}, setup, architecture, limits: {processes}}: SandboxSpec,
  launcher: SecondNamespaceLauncher,
): string[] {
  return [
    // For the host's root the engine runs outside of the guest's user namespace, and gets it as a descriptor.
    ...(guest === 'of-root' ? [] : prefix),
    ...setup.flat(),
    ...(guest === 'second' ? secondNamespaceWords(launcher(), {architecture, processes}) : []),
  ]
}

/** Returns the argv of the environment's pid 1. @param holder - Text of the shell script that a pid 1 of envs runs. */
export async function firstProcess(
  {init, boot, shell}: SandboxSpec,
  holder: string,
): Promise<readonly string[]> {
  if (boot !== undefined) return ['/bin/sh', '-c', await templateText('guest/boot.sh'), 'envs-boot']
  if (init !== undefined) return init
  return [...(shell ?? ['/bin/sh']), ...['-c', await templateText('guest/init.sh'), 'envs-init', holder]]
}
