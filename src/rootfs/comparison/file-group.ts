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
  ['envs', /^usr\/lib\/envs(?:\/|$)/],
  // Mount points, whose content is hidden.
  ['envs', /^(?:dev|proc|run|sys)$/],
]

/** Returns the group of a path, by the path alone. */
export function groupOfPath(path: string): LeftOutGroup | undefined {
  return RULES.find(([, rule]) => rule.test(path))?.[0]
}

const ALTERNATIVES = 'etc/alternatives'

/** Returns whether a path is one of dpkg's alternatives, or a link to one. @see update-alternatives(1) */
export function isAlternative(path: string, targets: readonly (string | undefined)[]): boolean {
  if (path === ALTERNATIVES || path.startsWith(`${ALTERNATIVES}/`)) return true
  return targets.some((target) => target?.startsWith(`/${ALTERNATIVES}/`))
}
