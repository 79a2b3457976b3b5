import type {HostCheck} from '../doctor/index.js'
import type {Host} from '../host/host.js'
import type {Confinement} from '../sandbox/confinement/confinement.js'
import type {EngineName} from '../sandbox/engines/select.js'
import type {ShownLimit} from '../sandbox/limits/limits.js'
import type {FilterSet} from '../sandbox/seccomp/rules.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {SessionFields, SessionRequest} from '../sandbox/session-options.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import type {Environment} from '../store/environments.js'
import type {GuestTree} from '../store/mounted-tree.js'
import type {EnvironmentRecord} from '../store/record.js'

/** The options of a session, as the user typed them. */
export type SessionWish = Readonly<SessionFields> & {
  readonly command: readonly string[]
  readonly durable: Durability
  /** The engine for an environment that is down; left out, the best one. */
  readonly engine?: 'auto' | EngineName
}

/** Which sync calls of the guest envs elides: `auto` those of APT's changes, `always` none, `never` all of the session. */
export type Durability = 'auto' | 'always' | 'never'

/**
 * One capability of an environment's sandbox. src/features/index.ts lists all features, and calls their hooks in the order of
 * that list. Each hook is optional.
 */
export type SandboxFeature = {
  readonly id: string
  /** The engines that support this feature. With another engine, the environment lacks the feature or `refuse` throws. */
  readonly engines: readonly EngineName[]
  /** Called before each session that Node starts, also in a running environment. No lock is held. */
  beforeSession?(context: SessionContext): Promise<void>
  /** Returns the session, changed according to the user's options. @throws {UsageError} */
  session?(session: SessionSpec, context: RequestContext): SessionSpec
  /** Throws when a session asks for something that the engine can't do. Called before the environment starts. */
  refuse?(request: SessionRequest, context: RefusalContext): void
  /** Changes files on the disk before a start. No process of the environment runs, and no other command starts one. */
  beforeStart?(context: SessionContext): Promise<void>
  /** Returns the sandbox with this feature. For a preview, `beforeStart` was not called, and the hook must not write to the disk. */
  apply?(spec: SandboxSpec, context: StartContext): SandboxSpec | Promise<SandboxSpec>
  /** Returns the results of this feature's checks of the host, for `envs doctor`. */
  checks?(host: Host): Promise<readonly HostCheck[]>
  /** Returns the isolation gaps that this feature leaves between an environment and the host. */
  gaps?(context: {
    readonly engine: EngineName
    readonly guestNamespace: GuestNamespace
  }): readonly IsolationGap[]
}

/** The sandbox of one session, inside the sandbox of its environment. */
export type SessionSpec = {
  readonly request: SessionRequest
  /** Rule sets of the seccomp filter for the command. */
  readonly filterSets: readonly FilterSet[]
}

export type RequestContext = {
  readonly wish: SessionWish
  /** Working folder of the caller, against which relative paths are resolved. */
  readonly workingFolder: string
  readonly record: Pick<EnvironmentRecord, 'architecture'>
  /** Of the running environment, or of the one that starts. */
  readonly confinement: Confinement
}

export type RefusalContext = SessionContext & {readonly engine: EngineName}

export type SessionContext = {
  readonly host: Host
  readonly environment: Environment
  readonly wish: SessionWish
  /** Called with a notice for the user about a start that continues. */
  readonly onNotice?: ((notice: StartNotice) => void) | undefined
}

/**
 * - `no-restore-point`: `envs undo` takes back the changes of two runs at once.
 * - `limits`: the kernel does not enforce all of them for the whole environment.
 * - `timeout`: the session was ended after its time, with an engine whose sessions can't tell so themselves.
 */
export type StartNotice =
  | {
      readonly kind: 'no-restore-point'
      readonly name: string
      /** A clause, for a message. */
      readonly reason: string
    }
  | {readonly kind: 'limits'; readonly name: string; readonly limits: readonly ShownLimit[]}
  | {readonly kind: 'timeout'; readonly name: string; readonly seconds: number}

export type StartContext = SessionContext & {
  readonly engine: EngineName
  readonly tree: GuestTree
  readonly isPreview: boolean
  /** Whether `envs try` made the environment, and removes it. */
  readonly isThrowaway: boolean
}

/**
 * Names a gap in the isolation between an environment and the host.
 *
 * `host-files`: a program in the guest can reach every file of the user. `own-mounts`: the guest's root owns the mounts; it can
 * unmount the covers over parts of /sys and mount control groups, and the number of processes has no limit.
 */
export type IsolationGap = 'host-files' | 'own-mounts'
