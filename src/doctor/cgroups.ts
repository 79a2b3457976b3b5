import {type Check, pass, warn} from '../host/check.js'
import {findCgroups, type GuestCgroups} from '../sandbox/init/cgroups.js'

const CGROUPS = {id: 'cgroups', title: 'Control groups'} as const

/** Checks which control groups the systemd of an environment would have. */
export function checkCgroups(): Check<'cgroups'> {
  return judgeCgroups(findCgroups())
}

export function judgeCgroups(cgroups: GuestCgroups | undefined): Check<'cgroups'> {
  switch (cgroups?.kind) {
    case 'real':
      return pass(CGROUPS, `${cgroups.parent} is delegated to this user.`)
    case 'make-believe':
      return pass(
        CGROUPS,
        'None is delegated to this user; /dev/fuse replaces them, without limits of memory.',
      )
    case undefined:
      return warn(CGROUPS, {
        evidence: 'None is delegated to this user, and /dev/fuse cannot replace them.',
        cost: 'Environments with the init systemd cannot start.',
        remedy: 'Use the supervisor of envs instead: envs set NAME init=services',
      })
  }
}
