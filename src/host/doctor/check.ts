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
}

export type CheckId =
  | 'util-linux'
  | 'user-namespaces'
  | 'bubblewrap'
  | 'subordinate-ids'
  | 'launcher'
  | 'disk'

type Subject = Pick<Check, 'id' | 'title'>
type Trouble = {readonly evidence: string; readonly cost: string; readonly remedy: string}

export function pass(subject: Subject, evidence: string): Check {
  return {...subject, status: 'pass', evidence, cost: null, remedy: null}
}

export function warn(subject: Subject, trouble: Trouble): Check {
  return {...subject, status: 'warn', ...trouble}
}

export function fail(subject: Subject, trouble: Trouble): Check {
  return {...subject, status: 'fail', ...trouble}
}
