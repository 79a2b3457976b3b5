import type {MapperHost} from '../id-mapper.js'
import {probeMapped} from '../id-mapping.js'
import {isAtLeast, MAP_AUTO_SINCE, utilLinuxVersion} from '../util-linux.js'
import {type Check, fail, pass, warn} from './check.js'
import {installSteps} from './install-steps.js'

const PROGRAMS = ['unshare', 'nsenter', 'flock'] as const

/** Programs that make, join and lock namespaces. */
export async function checkUtilLinux(host: MapperHost, distribution: string | undefined): Promise<Check> {
  const {which} = host
  const missing = PROGRAMS.filter((program) => which(program) === undefined)
  if (missing.length > 0) {
    return fail('util-linux', {
      evidence: `Not found: ${missing.join(', ')}.`,
      cost: 'No environment can be locked, entered or removed.',
      remedy: 'Ask an administrator to install the package util-linux.',
      request: {
        steps: installSteps(distribution, 'util-linux'),
        opens: 'Nothing: every distribution has the setuid programs of util-linux.',
      },
    })
  }
  const version = await utilLinuxVersion(which('unshare') ?? 'unshare')
  if (version !== undefined && isAtLeast(version, MAP_AUTO_SINCE)) {
    return pass('util-linux', `util-linux ${version.major}.${version.minor}: ${PROGRAMS.join(', ')}.`)
  }
  const seen =
    version === undefined
      ? `${which('unshare')} is not the one of util-linux`
      : `util-linux ${version.major}.${version.minor}`
  const probe = await probeMapped(host)
  if (probe.works) return pass('util-linux', `${seen}; newuidmap maps ids instead.`)
  if (probe.reason !== 'old-util-linux') return pass('util-linux', `${seen}: ${PROGRAMS.join(', ')}.`)
  return warn('util-linux', {
    evidence: `${seen}.`,
    cost: 'No range of ids can be mapped: environments are emulated, and all files belong to one user.',
    remedy:
      'Download perl into your own folder: envs doctor --fetch perl. Or ask an administrator for util-linux 2.38 or later.',
  })
}
