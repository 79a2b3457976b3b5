/** The checks of `envs doctor`, in the order in which problems should be solved. */
export const CHECK_TITLES = {
  engine: 'Engine',
  'util-linux': 'Programs of util-linux',
  'user-namespaces': 'User namespaces',
  apparmor: 'AppArmor',
  proc: 'Whole /proc',
  kernel: 'Kernel',
  bubblewrap: 'Bubblewrap',
  launcher: 'Session launcher',
  'new-privileges': 'New privileges',
  newuidmap: 'Setuid newuidmap',
  'subordinate-ids': 'Subordinate ids',
  disk: 'Disk',
  execution: 'Execution',
  overlay: 'Layers',
  leftovers: 'Leftovers',
  account: 'Account',
  node: 'Node.js',
  processors: 'Other processors',
  network: 'Ports and ping',
  mirrors: 'Mirrors',
  clock: 'Clock',
} as const

export type CheckId = keyof typeof CHECK_TITLES

/** One property of the host that envs needs or uses: the evidence and its consequences. */
export type Check = {
  /** Stable, kebab-case; part of the output with --json. */
  readonly id: CheckId
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

export function pass(id: CheckId, evidence: string): Check {
  return {id, title: CHECK_TITLES[id], status: 'pass', evidence, cost: null, remedy: null, request: null}
}

export function warn(id: CheckId, problem: CheckProblem): Check {
  return {...checkWithProblem(id, problem), status: 'warn'}
}

export function fail(id: CheckId, problem: CheckProblem): Check {
  return {...checkWithProblem(id, problem), status: 'fail'}
}

function checkWithProblem(id: CheckId, {request, ...problem}: CheckProblem): Omit<Check, 'status'> {
  return {id, title: CHECK_TITLES[id], ...problem, request: request ?? null}
}

/** Returns the suggestion to run the checks that explain a failure. */
export function seeChecks(...ids: readonly CheckId[]): string {
  const names = ids.map((id) => `"${CHECK_TITLES[id]}"`)
  const [last] = names.slice(-1)
  return names.length < 2
    ? `Run \`envs doctor\`: see the check ${last} and its remedy.`
    : `Run \`envs doctor\`: see the checks ${names.slice(0, -1).join(', ')} and ${last} and their remedies.`
}
