import type {DebArchitecture} from '../host/arch.js'
import {kernelMounts, type Mount, type RootMount} from './mounts.js'
import type {FilterSet} from './seccomp/rules.js'
import type {GuestNamespace} from './second-namespace.js'

/**
 * The sandbox of one environment: a plain value, which features change before the start and the engines turn into command lines.
 *
 * The guest's root has all capabilities over its own user namespace; `limits` and `filterSets` bound what they are good for.
 */
export type SandboxSpec = {
  /** The guest's `/`. */
  readonly root: RootMount
  /** Mounted after the root, in this order. */
  readonly mounts: readonly Mount[]
  readonly hostname: string
  /** The host's network, or one of the environment's own with a loopback interface alone. */
  readonly network: 'host' | 'own'
  readonly userNamespace: {
    readonly guest: GuestNamespace
    /** An argv prefix that makes or enters the user namespace of the mounts; empty where the engine makes one itself. */
    readonly prefix: readonly string[]
  }
  /** Argv prefixes that run as root of that user namespace, one after another, before the engine. */
  readonly setup: readonly (readonly string[])[]
  /** Of the seccomp filter of the first process, and of all that it starts. */
  readonly filterSets: readonly FilterSet[]
  /** The host's own: system calls have its numbers. */
  readonly architecture: DebArchitecture
  readonly limits: SandboxLimits
  /** Programs of the host beside the environment. */
  readonly companions: readonly Companion[]
}

export type SandboxLimits = {
  /** Processes and threads of all users and namespaces of the environment. */
  readonly processes: number
}

/** A program of the host that works for one environment while it runs. */
export type Companion = {
  /** Removes what an earlier run left. Returns the paths at which FIFOs are needed, made before `open`. */
  prepare(): readonly string[]
  /** Acquires what the start needs; nothing of the environment runs yet. Undefined: the environment does without. */
  open(): OpenCompanion | undefined
}

export type OpenCompanion = {
  /** A descriptor that the first process inherits as `AnchorFd.requests`; one companion at most has it. */
  readonly writer?: number
  /** Called while the engine makes the namespaces: the program starts beside it. @param place.devNull - Of /dev/null. */
  launched?(place: {readonly runFolder: string; readonly devNull: number}): void
  /** Called when the environment is ready, before its first session. A rejection ends the environment. */
  started?(anchor: {readonly pid: number}): Promise<void>
  /** Releases what this process holds; the program goes on. */
  close(): void
}

/** More than a runaway build needs, and few enough to leave the user's own sessions room. */
const MOST_PROCESSES = 4096

/** Returns the sandbox that each environment has: its tree, the kernel's file systems, and no feature yet. */
export function baseSpec(
  own: Pick<SandboxSpec, 'root' | 'hostname' | 'filterSets' | 'architecture' | 'userNamespace'>,
): SandboxSpec {
  return {
    ...own,
    mounts: kernelMounts(own.userNamespace.guest),
    network: 'host',
    setup: [],
    limits: {processes: MOST_PROCESSES},
    companions: [],
  }
}
