/**
 * What files that differ have to do with, where they are not simply somebody's:
 * - `package`: of a package that was itself added, removed or replaced.
 * - `packageRecords`: what dpkg and APT keep of packages.
 * - `accounts`, `services`, `alternatives`: what users, services and dpkg's choices among programs are kept in.
 * - `envs`: what envs lays into every environment, and the folders it mounts on.
 * - `caches`, `logs`, `temporary`, `bytecode`: what comes and goes by itself.
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

/** By the first rule that holds; a folder stands for all that is below it. */
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
  // Made where something is to be mounted on them, which hides what they are.
  ['envs', /^(?:dev|proc|run|sys)$/],
]

/** What a path says by itself. */
export function groupOfPath(path: string): LeftOutGroup | undefined {
  return RULES.find(([, rule]) => rule.test(path))?.[0]
}

const ALTERNATIVES = 'etc/alternatives'

/** Whether it is one of dpkg's choices, or a link to one. @see update-alternatives(1) */
export function isAlternative(path: string, targets: readonly (string | undefined)[]): boolean {
  if (path === ALTERNATIVES || path.startsWith(`${ALTERNATIVES}/`)) return true
  return targets.some((target) => target?.startsWith(`/${ALTERNATIVES}/`))
}
