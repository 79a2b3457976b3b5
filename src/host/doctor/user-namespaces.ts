import {readFile} from 'node:fs/promises'
import {isAccessible} from '../accessible.js'
import type {Host} from '../host.js'
import {readProcessStatus} from '../process-status.js'
import {type AdminRequest, type Check, fail, pass} from './check.js'
import {readKernelSetting, settingSteps} from './kernel-setting.js'
import {runTrial} from './trial.js'

const LIMIT = '/proc/sys/user/max_user_namespaces'
const DEBIAN_SWITCH = '/proc/sys/kernel/unprivileged_userns_clone'
const APPARMOR_SWITCH = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'

/** Files that docker and podman put into a container. */
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv']

const COST = 'envs cannot enter any environment.'

/** Facts about user namespaces. */
export type NamespaceFacts = {
  /** Status of `unshare --map-root-user --mount true`; undefined if there is no unshare. */
  readonly trialStatus: number | undefined
  /** Values of kernel settings; undefined if the kernel lacks them. */
  readonly limit: string | undefined
  readonly debianSwitch: string | undefined
  readonly apparmorSwitch: string | undefined
  /** The file that marks a container. */
  readonly containerMark: string | undefined
  /** Whether this process has a seccomp filter. */
  readonly isFiltered: boolean
  /** Whether this process is in a user namespace that maps only some ids. */
  readonly isNested: boolean
}

/** Makes a user namespace with a mount namespace, and looks for settings that may forbid it. */
export async function checkUserNamespaces({which}: Pick<Host, 'which'>): Promise<Check> {
  const unshare = which('unshare')
  const trial = unshare && (await runTrial([unshare, '--map-root-user', '--mount', '--', 'true']))
  const [limit, debianSwitch, apparmorSwitch] = await Promise.all(
    [LIMIT, DEBIAN_SWITCH, APPARMOR_SWITCH].map(readKernelSetting),
  )
  return judgeNamespaces({
    trialStatus: trial ? trial.status : undefined,
    ...{limit, debianSwitch, apparmorSwitch},
    containerMark: await firstExisting(CONTAINER_MARKS),
    isFiltered: (await readProcessStatus()).isFiltered,
    isNested: isPartial(await readFile('/proc/self/uid_map', 'utf8')),
  })
}

/** Returns the likeliest cause for which there is evidence. */
export function judgeNamespaces(facts: NamespaceFacts): Check {
  const {trialStatus, limit} = facts
  if (trialStatus === 0) return pass('user-namespaces', `One was made; ${LIMIT} is ${limit ?? 'absent'}.`)
  if (trialStatus === undefined) {
    const remedy = 'Ask an administrator to install the package util-linux, which holds unshare.'
    return fail('user-namespaces', {
      evidence: 'unshare was not found, so envs could not try a user namespace.',
      cost: COST,
      remedy,
    })
  }
  return fail('user-namespaces', {cost: COST, ...findObstacle(facts, trialStatus)})
}

type Obstacle = {readonly evidence: string; readonly remedy: string; readonly request?: AdminRequest}

function findObstacle(facts: NamespaceFacts, status: number): Obstacle {
  if (facts.limit === '0') {
    return {
      evidence: `${LIMIT} is 0.`,
      ...byAdministrator('user.max_user_namespaces', '15000'),
    }
  }
  if (facts.debianSwitch === '0') {
    return {
      evidence: `${DEBIAN_SWITCH} is 0.`,
      ...byAdministrator('kernel.unprivileged_userns_clone', '1'),
    }
  }
  if (facts.apparmorSwitch === '1') {
    return {
      evidence: `${APPARMOR_SWITCH} is 1.`,
      remedy: 'See the check of AppArmor, which has the profile to ask for.',
    }
  }
  if (facts.containerMark !== undefined || facts.isFiltered) return inContainer(facts.containerMark)
  if (facts.isNested) {
    return {
      evidence: `unshare ended with status ${status}, and /proc/self/uid_map does not have all ids: envs runs inside another sandbox.`,
      remedy:
        'Start that sandbox with the capability CAP_SETFCAP and nested namespaces, or run envs outside of the sandbox.',
    }
  }
  return {
    evidence: `unshare --map-root-user --mount true ended with status ${status}.`,
    remedy: 'Run `unshare --map-root-user --mount true` to see what the system answers.',
  }
}

function byAdministrator(setting: string, value: string): {remedy: string; request: AdminRequest} {
  return {
    remedy: `Ask an administrator to put the line "${setting}=${value}" into a file of /etc/sysctl.d and to run "sysctl --system".`,
    request: {
      steps: settingSteps(setting, value),
      opens:
        'Every user may make user namespaces, and reach parts of the kernel in them that only root could reach. Debian, Fedora and Arch allow this by default.',
    },
  }
}

function inContainer(mark: string | undefined): Obstacle {
  return {
    evidence:
      mark === undefined ? 'Seccomp is 2 in /proc/self/status.' : `${mark} is there: this is a container.`,
    remedy:
      'Start the container around envs with --security-opt seccomp=unconfined, or run envs outside of the container.',
    request: {
      steps: [
        '# start the container with these options:',
        'docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined',
      ],
      opens: 'Programs in that container may use every system call, and see all of /proc.',
    },
  }
}

/** @see user_namespaces(7): the initial one has a line for all possible ids */
function isPartial(idMap: string): boolean {
  return idMap.trim().split(/\s+/)[2] !== '4294967295'
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isAccessible(path)) return path
  return undefined
}
