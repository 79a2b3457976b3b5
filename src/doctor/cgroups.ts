import {type Check, pass, warn} from '../host/check.js'
import {type CgroupHost, examineCgroups, type GuestCgroups} from '../sandbox/init/cgroups.js'
import {lingers} from '../sandbox/init/user-manager.js'

const CGROUPS = {id: 'cgroups', title: 'Control groups'} as const

/** Checks which control groups the systemd of an environment would have. */
export async function checkCgroups(host: CgroupHost): Promise<Check<'cgroups'>> {
  const cgroups = await examineCgroups(host)
  const isOfManager = cgroups?.kind === 'real' && cgroups.scope.length > 0
  return judgeCgroups(cgroups, isOfManager ? await lingers(host) : null)
}

/** @param isLingering - Whether the user manager runs without a login; null where it does not matter. */
export function judgeCgroups(
  cgroups: GuestCgroups | undefined,
  isLingering: boolean | null,
): Check<'cgroups'> {
  switch (cgroups?.kind) {
    case 'real':
      if (cgroups.scope.length === 0)
        return pass(CGROUPS, 'The group of this process is delegated to this user.')
      if (isLingering === false)
        return warn(CGROUPS, {
          evidence: 'The user manager delegates a scope to each environment, and ends with the last login.',
          cost: 'Environments with the init systemd end when you log out.',
          remedy: 'loginctl enable-linger',
        })
      return pass(CGROUPS, 'The user manager delegates a scope to each environment.')
    case 'make-believe':
      return pass(
        CGROUPS,
        'None is delegated to this user, and no user manager answers; /dev/fuse replaces them, without limits of memory.',
      )
    case undefined:
      return warn(CGROUPS, {
        evidence:
          'None is delegated to this user, no user manager answers, and /dev/fuse cannot replace them.',
        cost: 'Environments with the init systemd cannot start.',
        remedy: 'Use the supervisor of envs instead: envs set NAME init=services',
      })
  }
}
