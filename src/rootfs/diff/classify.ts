import type {Change} from './stacks.js'

/** Facts about the trees by which changed files are classified. */
export type Surroundings = {
  /** Paths of files that are as envs wrote them, or that envs moved. */
  readonly own: ReadonlySet<string>
  /** Package by path, after or before. */
  readonly packages: ReadonlyMap<string, string>
  /** Names of packages that have changed their version, or exist only at one point. */
  readonly changedPackages: ReadonlySet<string>
  /** Package and MD5 that dpkg expects of conffiles afterwards. */
  readonly conffiles: ReadonlyMap<string, {readonly package: string; readonly md5: string}>
  /** Conffiles that dpkg knew before. */
  readonly formerConffiles: ReadonlySet<string>
  /** MD5 of conffiles afterwards; missing if there is no such file. */
  readonly digests: ReadonlyMap<string, string>
}

export type FileGroup = 'conffile' | 'other' | LeftOutGroup

type Classified = Pick<Change, 'path' | 'before' | 'after'>

export function classify(change: Classified, known: Surroundings): FileGroup {
  const {path, before, after} = change
  if (known.own.has(path)) return 'envs'
  return (
    groupOfPath(path) ??
    conffileGroup(change, known) ??
    packageGroup(path, known) ??
    (isAlternative(path, [before?.target, after?.target]) ? 'alternatives' : 'other')
  )
}

/** An unchanged conffile belongs to the change of its package; a different one was changed by somebody. */
function conffileGroup({path, after}: Classified, known: Surroundings): FileGroup | undefined {
  const expected = known.conffiles.get(path)
  if (expected === undefined) {
    if (!known.formerConffiles.has(path)) return undefined
    return after === undefined ? 'package' : 'conffile'
  }
  if (after === undefined || known.digests.get(path) !== expected.md5) return 'conffile'
  // The content is the package's, so that another property has changed.
  return known.changedPackages.has(expected.package) ? 'package' : 'conffile'
}

function packageGroup(path: string, {packages, changedPackages}: Surroundings): FileGroup | undefined {
  const name = packages.get(path)
  if (name === undefined) return undefined
  return changedPackages.has(name) ? 'package' : 'other'
}

/**
 * Groups of changed files that are not reported one by one:
 * - `package`: of a package that was itself added, removed or replaced.
 * - `packageRecords`: records of dpkg and APT.
 * - `accounts`, `services`, `alternatives`: files that define users, services and dpkg's alternatives.
 * - `envs`: files that envs adds to every environment, and its mount points.
 * - `caches`, `logs`, `temporary`, `bytecode`: files that programs make and remove.
 */
export type LeftOutGroup = (typeof LEFT_OUT_GROUPS)[number]

export const LEFT_OUT_GROUPS = [
  'package',
  'packageRecords',
  'accounts',
  'services',
  'alternatives',
  'caches',
  'logs',
  'temporary',
  'bytecode',
  'envs',
] as const

/** The first match decides; a folder includes everything in it. */
const RULES: readonly (readonly [LeftOutGroup, RegExp])[] = [
  ['packageRecords', /^var\/lib\/dpkg\/|^var\/lib\/apt\/(?!lists\/)/],
  ['caches', /^var\/cache\/|^var\/lib\/apt\/lists\/|^etc\/ld\.so\.cache$/],
  ['logs', /^var\/log\//],
  ['temporary', /^(?:tmp|run|dev|proc|sys|var\/tmp)\//],
  ['bytecode', /(?:^|\/)__pycache__(?:\/|$)|\.pyc$/],
  ['accounts', /^etc\/(?:(?:passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock)$/],
  ['services', /^etc\/systemd\/system\/[^/]+\.(?:wants|requires)(?:\/|$)|^etc\/rc[0-6S]\.d(?:\/|$)/],
  ['services', /^var\/lib\/systemd\/deb-systemd-(?:user-)?helper-/],
  ['envs', /^(?:usr|var)\/lib\/envs(?:\/|$)/],
  // Mount points, whose content is hidden.
  ['envs', /^(?:dev|proc|run|sys)$/],
]

/** Returns the group of a path, by the path alone. */
function groupOfPath(path: string): LeftOutGroup | undefined {
  return RULES.find(([, rule]) => rule.test(path))?.[0]
}

const ALTERNATIVES = 'etc/alternatives'

/** Returns whether a path is one of dpkg's alternatives, or a link to one. @see update-alternatives(1) */
function isAlternative(path: string, targets: readonly (string | undefined)[]): boolean {
  if (path === ALTERNATIVES || path.startsWith(`${ALTERNATIVES}/`)) return true
  return targets.some((target) => target?.startsWith(`/${ALTERNATIVES}/`))
}
