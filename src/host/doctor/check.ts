/** Every check of the doctor, in the order in which a reader should mend what they find. */
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
  mirrors: 'Mirrors',
  clock: 'Clock',
} as const

export type CheckId = keyof typeof CHECK_TITLES

/** One thing the host must have, or is the better for: what was looked at, and what follows from it. */
export type Check = {
  /** Stable, kebab-case; part of the output with --json. */
  readonly id: CheckId
  readonly title: string
  /** `warn`: envs works, less well; `fail`: it can't run. */
  readonly status: 'pass' | 'warn' | 'fail'
  /** The file, number, version or exit status that was seen. May quote a program: untrusted. */
  readonly evidence: string
  /** What the user goes without; null when the check passed. */
  readonly cost: string | null
  /** The next step, for the user or worded to be sent to an administrator; null when the check passed. */
  readonly remedy: string | null
  /** What an administrator would do about it; null where there is nothing to ask for. */
  readonly request: AdminRequest | null
}

/** The least that helps, and its price. */
export type AdminRequest = {
  /** Commands of a root shell, one after another; one with a here-document holds line ends. */
  readonly steps: readonly string[]
  /** What anybody may then do who could not before. */
  readonly opens: string
}

type Trouble = {
  readonly evidence: string
  readonly cost: string
  readonly remedy: string
  readonly request?: AdminRequest | undefined
}

export function pass(id: CheckId, evidence: string): Check {
  return {id, title: CHECK_TITLES[id], status: 'pass', evidence, cost: null, remedy: null, request: null}
}

export function warn(id: CheckId, trouble: Trouble): Check {
  return {...troubled(id, trouble), status: 'warn'}
}

export function fail(id: CheckId, trouble: Trouble): Check {
  return {...troubled(id, trouble), status: 'fail'}
}

function troubled(id: CheckId, {request, ...trouble}: Trouble): Omit<Check, 'status'> {
  return {id, title: CHECK_TITLES[id], ...trouble, request: request ?? null}
}

/** The suggestion that leads from a failure to the checks that explain it. */
export function seeChecks(...ids: readonly CheckId[]): string {
  const names = ids.map((id) => `"${CHECK_TITLES[id]}"`)
  const [last] = names.slice(-1)
  return names.length < 2
    ? `Run \`envs doctor\`: see the check ${last} and its remedy.`
    : `Run \`envs doctor\`: see the checks ${names.slice(0, -1).join(', ')} and ${last} and their remedies.`
}
