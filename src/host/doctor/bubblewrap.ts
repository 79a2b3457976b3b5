import type {Host} from '../host.js'
import {type Check, fail, pass} from './check.js'
import {installSteps} from './install-steps.js'
import {runTrial} from './trial.js'

const COST = 'envs cannot enter any environment.'

/** Enters the host's own tree, with the namespaces, proc and dev of a real environment. */
const TRIAL = [
  ...['--ro-bind', '/', '/', '--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'],
  ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--proc', '/proc', '--dev', '/dev', '--', 'true'],
]

/** The result of a trial of bubblewrap. */
export type BubblewrapFacts = {
  /** Its absolute path; undefined if there is none. */
  readonly path: string | undefined
  /** Output of --version. */
  readonly version: string
  readonly status: number
  /** Last line of its output; untrusted. */
  readonly message: string
  /** ID of os-release(5). */
  readonly distribution: string | undefined
}

/** Enters the host's own tree with bwrap, read-only. */
export async function checkBubblewrap(
  {which}: Pick<Host, 'which'>,
  distribution: string | undefined,
): Promise<Check> {
  const path = which('bwrap')
  if (path === undefined) return judgeBubblewrap({path, version: '', status: 0, message: '', distribution})
  const [version, trial] = await Promise.all([runTrial([path, '--version']), runTrial([path, ...TRIAL])])
  return judgeBubblewrap({
    path,
    version: version.stdout.trim() || 'bwrap',
    status: trial.status,
    message: trial.stderr.trim().split('\n').at(-1) ?? '',
    distribution,
  })
}

export function judgeBubblewrap({path, version, status, message, distribution}: BubblewrapFacts): Check {
  if (path === undefined) {
    return fail('bubblewrap', {
      evidence: 'bwrap was not found.',
      cost: COST,
      remedy:
        'Ask an administrator to install the package bubblewrap, or download it into your own folder: envs doctor --fetch bubblewrap',
      request: {
        steps: installSteps(distribution, 'bubblewrap'),
        opens: 'Nothing: bwrap has only the privileges of its caller.',
      },
    })
  }
  if (status === 0) return pass('bubblewrap', `${version} at ${path}.`)
  return fail('bubblewrap', {
    evidence: `${version} at ${path} ended with status ${status}: ${message}`,
    cost: COST,
    remedy:
      'See the checks of user namespaces, AppArmor and /proc; if they pass, the evidence here is for a bug report.',
  })
}
