import {type Check, pass, warn} from '../host/check.js'
import type {CgroupHost} from '../sandbox/init/cgroups.js'
import {lingers} from '../sandbox/init/user-manager.js'
import {examineLimitGroups, GROUP_LIMITS, type LimitGroups} from '../sandbox/limits/groups.js'
import {LIMIT_NAMES} from '../sandbox/limits/limits.js'

const LIMITS = {id: 'limits', title: 'Limits'} as const

/** Checks which limits this host can enforce for all processes of an environment together. */
export async function checkLimits(host: CgroupHost): Promise<Check<'limits'>> {
  const groups = await examineLimitGroups(host)
  return judgeLimits(groups, groups?.kind === 'manager' ? await lingers(host) : null)
}

/** @param isLingering - Whether the user manager runs without a login; null where it does not matter. */
export function judgeLimits(groups: LimitGroups | undefined, isLingering: boolean | null): Check<'limits'> {
  const limits = groups?.limits ?? []
  const enforced = namesOf(limits)
  const missing = namesOf(GROUP_LIMITS.filter((limit) => limit !== 'processes' && !limits.includes(limit)))
  const place = groups?.kind === 'own' ? 'The group of this process' : 'A scope of the user manager'
  const evidence =
    groups === undefined
      ? 'No control group with memory, cpu or io is delegated to this user.'
      : `${place} enforces ${enforced}.`
  if (groups?.kind === 'manager' && isLingering === false)
    return warn(LIMITS, {
      evidence,
      cost: 'Environments with such limits end when you log out.',
      remedy: 'loginctl enable-linger',
    })
  // Most hosts delegate no io to users, and little depends on it.
  if (missing === '' || missing === LIMIT_NAMES.ioWeight) return pass(LIMITS, evidence)
  return warn(LIMITS, {
    evidence,
    cost: `Not enforced for a whole environment: ${missing}. A limit of memory holds for each process alone.`,
    remedy:
      groups === undefined
        ? 'Log in by a terminal, ssh or a desktop rather than by su, on a host with systemd and cgroup2: systemctl --user status'
        : 'Ask an administrator to delegate the controllers: Delegate=cpu cpuset io memory pids in a drop-in of user@.service',
  })
}

function namesOf(limits: readonly (typeof GROUP_LIMITS)[number][]): string {
  return limits.map((limit) => LIMIT_NAMES[limit]).join(', ')
}
