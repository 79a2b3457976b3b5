import type {Host} from '../host.js'
import {isAtLeast, MAP_AUTO_SINCE, utilLinuxVersion} from '../util-linux.js'
import {type Check, fail, pass, warn} from './check.js'

const SUBJECT = {id: 'util-linux', title: 'Programs of util-linux'} as const

const PROGRAMS = ['unshare', 'nsenter', 'flock'] as const

/** The programs by which namespaces are made, joined and locked. */
export async function checkUtilLinux({which}: Pick<Host, 'which'>): Promise<Check> {
  const missing = PROGRAMS.filter((program) => which(program) === undefined)
  if (missing.length > 0) {
    return fail(SUBJECT, {
      evidence: `Not found: ${missing.join(', ')}.`,
      cost: 'No environment can be locked, entered or removed.',
      remedy: 'Ask an administrator to install the package util-linux.',
    })
  }
  const version = await utilLinuxVersion(which('unshare') ?? 'unshare')
  if (version !== undefined && isAtLeast(version, MAP_AUTO_SINCE)) {
    return pass(SUBJECT, `util-linux ${version.major}.${version.minor}: ${PROGRAMS.join(', ')}.`)
  }
  return warn(SUBJECT, {
    evidence:
      version === undefined
        ? `${which('unshare')} is not the one of util-linux.`
        : `util-linux ${version.major}.${version.minor}.`,
    cost: 'No range of ids can be mapped: environments are emulated, and all files belong to one user.',
    remedy: 'Ask an administrator for util-linux 2.38 or later.',
  })
}
