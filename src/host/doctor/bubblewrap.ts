import {readFile} from 'node:fs/promises'
import type {Host} from '../host.js'
import {isBelow, parseMountinfo} from '../mountinfo.js'
import {type Check, fail, pass} from './check.js'
import {runTrial} from './trial.js'

const SUBJECT = {id: 'bubblewrap', title: 'Bubblewrap'} as const
const COST = 'No environment can be entered.'

/** The host's own tree as a guest: namespaces, proc and dev are those of a real environment. */
const TRIAL = [
  ...['--ro-bind', '/', '/', '--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'],
  ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--proc', '/proc', '--dev', '/dev', '--', 'true'],
]

/** Enters the host's own tree with bwrap, read-only. */
export async function checkBubblewrap({which}: Pick<Host, 'which'>): Promise<Check> {
  const bwrap = which('bwrap')
  if (bwrap === undefined) {
    return fail(SUBJECT, {
      evidence: 'bwrap was not found.',
      cost: COST,
      remedy: 'Ask an administrator to install the package bubblewrap.',
    })
  }
  const [version, trial] = await Promise.all([runTrial([bwrap, '--version']), runTrial([bwrap, ...TRIAL])])
  const name = `${version.stdout.trim() || 'bwrap'} at ${bwrap}`
  if (trial.status === 0) return pass(SUBJECT, `${name}.`)
  const message = trial.stderr.trim().split('\n').at(-1) ?? ''
  return fail(SUBJECT, {
    cost: COST,
    ...(await explain(`${name} ended with status ${trial.status}: ${message}`)),
  })
}

async function explain(evidence: string): Promise<{evidence: string; remedy: string}> {
  const mask = await maskOfProc()
  if (mask === undefined) {
    return {
      evidence,
      remedy: 'See the check of user namespaces; if it passes, the evidence here is for a bug report.',
    }
  }
  return {
    evidence: `${evidence} (${mask} is mounted over)`,
    remedy:
      'Start the container around envs with --security-opt systempaths=unconfined: while parts of /proc are covered, the kernel lets nobody mount a whole one.',
  }
}

/** A mount that covers a part of /proc, as containers have them. @see mount_namespaces(7) on proc being "fully visible" */
async function maskOfProc(): Promise<string | undefined> {
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'))
  return mounts.find(({mountPoint, fileSystem}) => isCover(mountPoint, fileSystem))?.mountPoint
}

/** binfmt_misc and its automount cover an empty folder that is there for them. */
function isCover(mountPoint: string, fileSystem: string): boolean {
  const isPart = mountPoint !== '/proc' && isBelow(mountPoint, '/proc')
  return isPart && fileSystem !== 'binfmt_misc' && fileSystem !== 'autofs'
}
