import type {Mount} from '../mounts.js'
import type {GuestNamespace} from '../second-namespace.js'

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

export type AnchorOptions = {
  readonly hostname: string
  readonly mounts: readonly Mount[]
  readonly guestNamespace: GuestNamespace
  /** Words that make the user namespace that the engine is root of; empty where it makes it itself. */
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
