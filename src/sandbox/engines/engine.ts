import {secondNamespaceWords} from '../second-namespace.js'
import type {SandboxSpec} from '../spec.js'

/** Ways to start an environment's first process; `proot`, which has none, is another thing. */
export type AnchorEngineName = 'bwrap' | 'unshare'

/** Numbers of the descriptors that an anchor inherits; the holder in templates/guest/holder.sh knows them too. */
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

/** Turns the sandbox of an environment into a command line. It makes the namespaces and mounts, and starts the first process. */
export type AnchorEngine = {
  readonly name: AnchorEngineName
  /**
   * Returns the argument list, without the options: these are written to a descriptor, for `ps` in the guest shows the
   * engine's own list.
   *
   * @param holder - Text of a shell script.
   */
  command(spec: SandboxSpec, holder: string): Promise<string[]>
  /** @param stage - A folder of the host that a tree may be put together on, in a mount namespace of the engine's own. */
  options(spec: SandboxSpec, stage: string): string[]
}

/** Returns the words that start templates/host/second-namespace.pl. @throws {PerlMissingError} */
export type SecondNamespaceLauncher = () => readonly string[]

/** Returns the argv prefix of an engine: each program in it prepares something, and executes what follows. */
export function enginePrefix(
  {userNamespace: {guest, prefix}, setup, architecture, limits: {processes}}: SandboxSpec,
  launcher: SecondNamespaceLauncher,
): string[] {
  return [
    // For the host's root the engine runs as root and is handed the namespace instead of being in it.
    ...(guest === 'of-root' ? [] : prefix),
    ...setup.flat(),
    ...(guest === 'second' ? secondNamespaceWords(launcher(), {architecture, processes}) : []),
  ]
}
