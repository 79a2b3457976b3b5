import type {Check} from '../host/check.js'
import type {Host} from '../host/host.js'
import type {EngineName} from '../sandbox/engines/select.js'
import type {FilterSet} from '../sandbox/seccomp/rules.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {SessionFields, SessionRequest} from '../sandbox/session-options.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import type {Environment} from '../store/environments.js'
import type {GuestTree} from '../store/mounted-tree.js'

/** The options of a session, as the user typed them. */
export type SessionWish = Readonly<SessionFields> & {
  readonly command: readonly string[]
  readonly durable: Durability
  /** The engine for an environment that is down; left out, the best one. */
  readonly engine?: 'auto' | EngineName
}

/** The fate of the guest's syncs: `auto` elides those of APT's changes, `always` none, `never` all of the session. */
export type Durability = 'auto' | 'always' | 'never'

/**
 * Something that the sandbox of an environment can have. src/features/index.ts holds all of them; each hook is optional, and
 * called in the order of that list.
 */
export type SandboxFeature = {
  readonly id: string
  /** The engines that can carry it out. With another one the environment does without, or `refuse` throws. */
  readonly engines: readonly EngineName[]
  /** Called before each session that Node starts, also of an environment that runs; nothing is locked. */
  beforeSession?(context: SessionContext): Promise<void>
  /** Returns a session, changed by what the user asked for. @throws {UsageError} */
  session?(session: SessionSpec, context: RequestContext): SessionSpec
  /** Throws where a session asks for what this engine can't do. Called before the environment starts. */
  refuse?(request: SessionRequest, context: RefusalContext): void
  /** Changes what is on the disk before a start. Nothing of the environment runs, and nobody else starts it. */
  beforeStart?(context: SessionContext): Promise<void>
  /** Returns the sandbox with this feature in it. For a preview nothing was prepared, and nothing is changed on the disk. */
  apply?(spec: SandboxSpec, context: StartContext): SandboxSpec | Promise<SandboxSpec>
  /** Returns what the doctor says of the host for this feature. */
  checks?(host: Host): Promise<readonly Check[]>
  /** Returns what this feature leaves open between an environment and the host. */
  gaps?(context: {
    readonly engine: EngineName
    readonly guestNamespace: GuestNamespace
  }): readonly IsolationGap[]
}

/** The sandbox of one session, within that of its environment. */
export type SessionSpec = {
  readonly request: SessionRequest
  /** Of the seccomp filter that its command runs under. */
  readonly filterSets: readonly FilterSet[]
}

export type RequestContext = {
  readonly wish: SessionWish
  /** The caller's folder: relative paths start there. */
  readonly workingFolder: string
}

export type RefusalContext = SessionContext & {readonly engine: EngineName}

export type SessionContext = {
  readonly host: Host
  readonly environment: Environment
  readonly wish: SessionWish
}

export type StartContext = SessionContext & {
  readonly engine: EngineName
  readonly tree: GuestTree
  readonly isPreview: boolean
  /** Whether `envs try` made the environment, and removes it. */
  readonly isThrowaway: boolean
}

/**
 * A gap in the wall between an environment and the host.
 *
 * `host-files`: a program inside can reach every file of the user. `own-mounts`: the guest's root owns the mounts; it can take off
 * what covers parts of /sys and mount control groups, and processes are not counted.
 */
export type IsolationGap = 'host-files' | 'own-mounts'
