import type {Mount} from '../mounts.js'

/** Ways to start an environment's first process; `proot`, which has none, is another thing. */
export type AnchorEngineName = 'bwrap' | 'unshare'

/** Numbers of the descriptors that an anchor inherits; the holder in templates/guest/holder.sh knows them too. */
export const AnchorFd = {
  info: 3,
  ready: 4,
  hold: 5,
  liveness: 6,
  options: 7,
  filter: 8,
  userNamespace: 9,
  requests: 10,
} as const

export type AnchorOptions = {
  readonly hostname: string
  readonly mounts: readonly Mount[]
  /** Started by root with a say over mounts: the guest gets a second user namespace, without one. */
  readonly isMountingRoot: boolean
  /** Words that make the guest's user namespace; empty where the engine makes it. */
  readonly namespacePrefix: readonly string[]
  /** A folder of the host that a tree may be put together on, in a mount namespace of the engine's own. */
  readonly stage: string
}

/** What makes an environment's namespaces and mounts, and starts its first process. */
export type AnchorEngine = {
  readonly name: AnchorEngineName
  /**
   * Its argument list; it is told {@link AnchorEngine.options} on a descriptor, for its own list is what `ps` in the
   * guest shows of it.
   *
   * @param holder - Text of a shell script.
   */
  command(holder: string): Promise<string[]>
  options(wish: AnchorOptions): string[]
}
