import {readFile} from 'node:fs/promises'
import {isAccessible} from '../accessible.js'
import type {Host} from '../host.js'
import {readProcessStatus} from '../process-status.js'
import {type Check, fail, pass} from './check.js'
import {runTrial} from './trial.js'

const SUBJECT = {id: 'user-namespaces', title: 'User namespaces'} as const

const LIMIT = '/proc/sys/user/max_user_namespaces'
const DEBIAN_SWITCH = '/proc/sys/kernel/unprivileged_userns_clone'
const APPARMOR_SWITCH = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'

/** Files that docker and podman put into a container. */
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv']

type Obstacle = {readonly evidence: string; readonly remedy: string}

/** Makes a user namespace with a mount namespace in it, and looks for what forbids it only when that fails. */
export async function checkUserNamespaces({which}: Pick<Host, 'which'>): Promise<Check> {
  const cost = 'No environment can be entered.'
  const unshare = which('unshare')
  if (unshare === undefined) {
    const remedy = 'Ask an administrator to install the package util-linux: it holds unshare.'
    return fail(SUBJECT, {evidence: 'unshare was not found, so none could be tried.', cost, remedy})
  }
  const {status} = await runTrial([unshare, '--map-root-user', '--mount', '--', 'true'])
  if (status === 0) return pass(SUBJECT, `One was made; ${LIMIT} is ${(await readValue(LIMIT)) ?? 'absent'}.`)
  return fail(SUBJECT, {cost, ...(await findObstacle(status))})
}

async function findObstacle(status: number): Promise<Obstacle> {
  if ((await readValue(LIMIT)) === '0') {
    return {evidence: `${LIMIT} is 0.`, remedy: settingRemedy('user.max_user_namespaces=15000')}
  }
  if ((await readValue(DEBIAN_SWITCH)) === '0') {
    return {evidence: `${DEBIAN_SWITCH} is 0.`, remedy: settingRemedy('kernel.unprivileged_userns_clone=1')}
  }
  if ((await readValue(APPARMOR_SWITCH)) === '1') {
    const setting = 'kernel.apparmor_restrict_unprivileged_userns=0'
    return {
      evidence: `${APPARMOR_SWITCH} is 1.`,
      remedy: `${settingRemedy(setting)} Or for an AppArmor profile with "flags=(unconfined)" and the rule "userns," for bwrap and unshare.`,
    }
  }
  const mark = await firstExisting(CONTAINER_MARKS)
  if (mark !== undefined || (await readProcessStatus()).isFiltered) {
    return {
      evidence:
        mark === undefined ? 'Seccomp is 2 in /proc/self/status.' : `${mark} is there: this is a container.`,
      remedy:
        'Start the container around envs with --security-opt seccomp=unconfined, or run envs outside of it.',
    }
  }
  return {
    evidence: `unshare --map-root-user --mount true ended with status ${status}.`,
    remedy: 'Run `unshare --map-root-user --mount true` to see what the system answers.',
  }
}

/** @see sysctl.d(5): a file there makes a setting last. */
function settingRemedy(setting: string): string {
  return `Ask an administrator to put the line "${setting}" into /etc/sysctl.d/60-envs.conf and to run "sysctl --system".`
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isAccessible(path)) return path
  return undefined
}

/** The value of a kernel setting, or undefined where the kernel doesn't have it. */
async function readValue(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim()
}
