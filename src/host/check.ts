/**
 * Checks of `envs doctor` that errors name. Their titles are here because the rooms that throw the errors do not know the
 * doctor; every other check has its title in its own file.
 */
const NAMED = {
  engine: 'Engine',
  'util-linux': 'Programs of util-linux',
  'user-namespaces': 'User namespaces',
  apparmor: 'AppArmor',
  kernel: 'Kernel',
  bubblewrap: 'Bubblewrap',
  launcher: 'Session launcher',
  'subordinate-ids': 'Subordinate ids',
  disk: 'Disk',
  execution: 'Execution',
  overlay: 'Layers',
  'private-network': 'Private network',
} as const

export type NamedCheck = keyof typeof NAMED

/** Which check a finding belongs to: one that errors name, or the id and the title of another. */
type CheckKind = NamedCheck | {readonly id: string; readonly title: string}

type IdOf<Kind extends CheckKind> = Kind extends {readonly id: infer Id extends string}
  ? Id
  : Kind extends NamedCheck
    ? Kind
    : never

/** One property of the host that envs needs or uses: the evidence and its consequences. */
export type Check<Id extends string = string> = {
  /** Stable, kebab-case; part of the output with --json. */
  readonly id: Id
  readonly title: string
  /** `warn`: envs works with restrictions; `fail`: it can't run. */
  readonly status: 'pass' | 'warn' | 'fail'
  /** A file, number, version or exit status. May quote a program: untrusted. */
  readonly evidence: string
  /** The consequence for the user; null if the check passed. */
  readonly cost: string | null
  /** The next step, for the user or as a text for an administrator; null if the check passed. */
  readonly remedy: string | null
  /** The change for an administrator; null if there is none. */
  readonly request: AdminRequest | null
}

/** The smallest change that helps, and its consequence for security. */
export type AdminRequest = {
  /** Commands of a root shell, in order; a command with a here-document contains line ends. */
  readonly steps: readonly string[]
  /** The ability that the change gives to all users. */
  readonly opens: string
}

type CheckProblem = {
  readonly evidence: string
  readonly cost: string
  readonly remedy: string
  readonly request?: AdminRequest | undefined
}

export function pass<const Kind extends CheckKind>(kind: Kind, evidence: string): Check<IdOf<Kind>> {
  return {...titled(kind), status: 'pass', evidence, cost: null, remedy: null, request: null}
}

export function warn<const Kind extends CheckKind>(kind: Kind, problem: CheckProblem): Check<IdOf<Kind>> {
  return {...titled(kind), status: 'warn', ...problem, request: problem.request ?? null}
}

export function fail<const Kind extends CheckKind>(kind: Kind, problem: CheckProblem): Check<IdOf<Kind>> {
  return {...titled(kind), status: 'fail', ...problem, request: problem.request ?? null}
}

function titled<Kind extends CheckKind>(kind: Kind): {readonly id: IdOf<Kind>; readonly title: string} {
  const {id, title} = typeof kind === 'string' ? {id: kind, title: titleOf(kind)} : kind
  return {id: id as IdOf<Kind>, title}
}

function titleOf(check: NamedCheck | {readonly title: string}): string {
  return typeof check === 'string' ? NAMED[check] : check.title
}

/** Returns the words that lead to a check in the same report. */
export function seeCheck(check: NamedCheck | {readonly title: string}): string {
  return `See the check "${titleOf(check)}".`
}

/** Returns the suggestion to run the checks that explain a failure. */
export function seeChecks(...checks: readonly (NamedCheck | {readonly title: string})[]): string {
  const names = [...new Set(checks.map((check) => `"${titleOf(check)}"`))]
  const [last] = names.slice(-1)
  return names.length < 2
    ? `Run \`envs doctor\`: see the check ${last} and its remedy.`
    : `Run \`envs doctor\`: see the checks ${names.slice(0, -1).join(', ')} and ${last} and their remedies.`
}
