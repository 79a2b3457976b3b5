import type {DebArchitecture} from '../host/machine/arch.js'
import type {BootSpec} from './init/boot.js'
import {kernelMounts, type Mount, type RootMount} from './mounts.js'
import type {OwnNetwork} from './network/outlet.js'
import type {FilterSet} from './seccomp/rules.js'
import type {GuestNamespace} from './second-namespace.js'

/**
 * The sandbox of one environment: a plain value that features change before the start, and engines turn into command lines.
 *
 * The guest's root has all capabilities in its user namespace; `limits` and `filterSets` restrict their use.
 */
export type SandboxSpec = {
  /** The guest's `/`. */
  readonly root: RootMount
  /** Mounted after the root, in this order. */
  readonly mounts: readonly Mount[]
  readonly hostname: string
  /** `own`: a network namespace of the environment, with only a loopback interface. */
  readonly network: 'host' | 'own'
  /** The kind of a network that a setup step makes, recorded for the sessions that join; `network` is `host` then. */
  readonly ownNetwork?: OwnNetwork
  readonly userNamespace: {
    readonly guest: GuestNamespace
    /** An argv prefix that makes or enters the user namespace of the mounts; empty when the engine makes it. */
    readonly prefix: readonly string[]
  }
  /** Argv prefixes that run as root of that user namespace, one after another, before the engine. */
  readonly setup: readonly (readonly string[])[]
  /** Rules of the seccomp filter, which all processes of the environment inherit. */
  readonly filterSets: readonly FilterSet[]
  /** The host's architecture, for the numbers of system calls. */
  readonly architecture: DebArchitecture
  readonly limits: SandboxLimits
  /** Argv of the shell that runs the scripts of envs in the guest; left out, the guest's /bin/sh. */
  readonly shell?: readonly string[]
  /** Argv of the guest's program that is pid 1; left out, templates/guest/init.sh, which ends after the last session. */
  readonly init?: readonly string[]
  /** Programs of the host that work for the environment. */
  readonly companions: readonly Companion[]
  /** The guest boots with its own init, with the engine `unshare`; undefined for an environment with a holder. */
  readonly boot?: BootSpec
}

export type SandboxLimits = {
  /** Limit for processes and threads of all users and namespaces of the environment. */
  readonly processes: number
}

/** A program of the host that works for one environment while it runs. */
export type Companion = {
  /** Removes what an earlier run left. Returns the paths at which FIFOs are needed, made before `open`. */
  prepare(): readonly string[]
  /** Acquires the resources for the start; no process of the environment runs yet. Undefined: the environment starts without it. */
  open(): OpenCompanion | undefined
}

export type OpenCompanion = {
  /** A descriptor that the first process inherits as `AnchorFd.requests`; at most one companion has it. */
  readonly writer?: number
  /** Called while the engine makes the namespaces, to start the program. @param place.devNull - A descriptor of /dev/null. */
  launched?(place: {readonly runFolder: string; readonly devNull: number}): void
  /** Called when the environment is ready, before its first session. A rejection ends the environment. */
  started?(anchor: {readonly pid: number; readonly startTime: string}): Promise<void>
  /** Releases the resources of this process; the program continues. */
  close(): void
}

/** More than a large build needs, and few enough for the user's other processes. */
const MOST_PROCESSES = 4096

/** Returns the sandbox of an environment without features: its tree and the kernel's file systems. */
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
