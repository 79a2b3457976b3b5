import {readdir, readFile} from 'node:fs/promises'
import {type AdminRequest, type Check, fail, pass, seeCheck, warn} from '../host/check.js'
import {isAccessible} from '../host/files.js'
import type {Host} from '../host/host.js'
import {
  APPARMOR_SWITCH,
  isBelow,
  isPowerlessLabel,
  type MountEntry,
  type ProcessStatus,
  parseMountinfo,
  readProcessStatus,
} from '../host/machine/proc.js'
import {findRootsPath} from '../host/own-folders.js'
import {readKernelSetting, runTrial, settingSteps} from './trial.js'

const LIMIT = '/proc/sys/user/max_user_namespaces'
const DEBIAN_SWITCH = '/proc/sys/kernel/unprivileged_userns_clone'

/** Files that docker and podman put into a container. */
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv']

const COST = 'envs cannot enter any environment.'

/** Facts about user namespaces. */
export type NamespaceFacts = {
  /** Status of `unshare --map-root-user --mount true`; undefined if there is no unshare. */
  readonly trialStatus: number | undefined
  /** Whether `unshare --user true` succeeds: a namespace without a mapping of ids, and without rights. */
  readonly isMadeBare: boolean
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
export async function checkUserNamespaces({which}: Pick<Host, 'which'>): Promise<Check<'user-namespaces'>> {
  const unshare = which('unshare')
  const trial = unshare && (await runTrial([unshare, '--map-root-user', '--mount', '--', 'true']))
  const bare = unshare && (await runTrial([unshare, '--user', '--', 'true']))
  const [limit, debianSwitch, apparmorSwitch] = await Promise.all(
    [LIMIT, DEBIAN_SWITCH, APPARMOR_SWITCH].map(readKernelSetting),
  )
  return judgeNamespaces({
    trialStatus: trial ? trial.status : undefined,
    isMadeBare: bare ? bare.status === 0 : false,
    ...{limit, debianSwitch, apparmorSwitch},
    containerMark: await firstExisting(CONTAINER_MARKS),
    isFiltered: (await readProcessStatus()).isFiltered,
    isNested: isPartial(await readFile('/proc/self/uid_map', 'utf8')),
  })
}

/** Returns the likeliest cause for which there is evidence. */
export function judgeNamespaces(facts: NamespaceFacts): Check<'user-namespaces'> {
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
  if (isRefusedByApparmor(facts)) {
    const made = facts.isMadeBare ? 'makes a user namespace, but without rights in it' : 'makes none'
    return warn('user-namespaces', {
      evidence: `${APPARMOR_SWITCH} is 1, and unshare ${made}.`,
      cost: 'Only programs with a profile of AppArmor can make user namespaces with rights.',
      remedy: seeCheck('apparmor'),
    })
  }
  return fail('user-namespaces', {cost: COST, ...findObstacle(facts, trialStatus)})
}

/** The check of AppArmor has the verdict and the request for this cause. */
function isRefusedByApparmor({limit, debianSwitch, apparmorSwitch}: NamespaceFacts): boolean {
  return limit !== '0' && debianSwitch !== '0' && apparmorSwitch === '1'
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

const PROFILES = '/etc/apparmor.d'
/** A profile of Ubuntu that lets unshare make a user namespace, and denies its children all capabilities in it. */
const RESTRICTING = 'unshare-userns-restrict'
const LABEL = '/proc/self/attr/current'
/** Facts about AppArmor's restriction of user namespaces. */
export type ApparmorFacts = {
  /** Value of {@link APPARMOR_SWITCH}; undefined on kernels without it. */
  readonly restriction: string | undefined
  /** Label of a program in a namespace made by unshare, or bwrap; undefined if none could be made. */
  readonly labelByUnshare: string | undefined
  readonly labelByBwrap: string | undefined
  /** Label in a namespace without a mapping of ids, made by unshare; undefined if none could be made. */
  readonly labelBare: string | undefined
  /** Whether {@link RESTRICTING} is in /etc/apparmor.d. */
  readonly isRestricting: boolean
  /** Absolute path of unshare; undefined if there is none. */
  readonly unshare: string | undefined
  /** The same without symlinks, if only root can change it. */
  readonly rootsUnshare: string | undefined
}

/**
 * Ubuntu's restriction of user namespaces, since 23.10, in its three tiers. @see
 * https://ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces
 */
export async function checkApparmor({which}: Pick<Host, 'which'>): Promise<Check<'apparmor'>> {
  const restriction = await readKernelSetting(APPARMOR_SWITCH)
  const [unshare, bwrap] = [which('unshare'), which('bwrap')]
  const rootsUnshare = unshare === undefined ? undefined : findRootsPath(unshare)
  if (restriction !== '1') {
    const none = {
      ...{labelByUnshare: undefined, labelByBwrap: undefined, labelBare: undefined},
      isRestricting: false,
    }
    return judgeApparmor({restriction, ...none, unshare, rootsUnshare})
  }
  const entries: string[] = await readdir(PROFILES).catch(() => [])
  return judgeApparmor({
    restriction,
    labelByUnshare: unshare && (await labelBehind([unshare, '--user', '--map-root-user', '--'])),
    labelBare: unshare && (await labelBehind([unshare, '--user', '--'])),
    labelByBwrap: bwrap && (await labelBehind([bwrap, '--ro-bind', '/', '/', '--unshare-user', '--'])),
    isRestricting: entries.includes(RESTRICTING),
    ...{unshare, rootsUnshare},
  })
}

export function judgeApparmor(facts: ApparmorFacts): Check<'apparmor'> {
  const {restriction, labelByUnshare, labelByBwrap} = facts
  if (restriction === undefined) return pass('apparmor', 'This kernel has no restriction of user namespaces.')
  if (restriction !== '1') return pass('apparmor', `${APPARMOR_SWITCH} is ${restriction}.`)
  const labels = [labelByBwrap, labelByUnshare].filter((label) => label !== undefined)
  const isFree = (label: string | undefined) => label !== undefined && !isPowerlessLabel(label)
  const free = labels.find(isFree)
  if (free !== undefined && (facts.unshare === undefined || isFree(labelByUnshare)))
    return pass(
      'apparmor',
      `${APPARMOR_SWITCH} is 1, and a profile allows namespaces with capabilities (${free}).`,
    )
  if (free !== undefined) {
    return warn('apparmor', {
      evidence: `${APPARMOR_SWITCH} is 1, and a profile allows namespaces with capabilities to bwrap alone (${free}).`,
      cost: 'Environments are emulated: ids are mapped by unshare.',
      ...profileRequest(facts),
    })
  }
  const [powerless] = labels
  if (powerless !== undefined) {
    return warn('apparmor', {
      evidence: `${APPARMOR_SWITCH} is 1, and a program in a namespace has no rights there (label ${powerless}).`,
      cost: 'Environments are emulated: such a program has no capabilities, so no range of ids can be mapped.',
      ...profileRequest(facts),
    })
  }
  return fail('apparmor', {
    evidence: `${APPARMOR_SWITCH} is 1, ${
      facts.labelBare === undefined
        ? 'and neither bwrap nor unshare could make a user namespace'
        : `and user namespaces are made without rights in them (label ${facts.labelBare})`
    }.`,
    cost: 'envs can enter environments only with the engine proot.',
    ...profileRequest(facts),
  })
}

/**
 * Asks for a profile of unshare alone: it can start every other program of envs in its namespace, bwrap too. A profile names a path, and
 * gives its right to any program that is put there, so the path must be one that only root can change.
 */
function profileRequest({unshare, rootsUnshare, isRestricting}: ApparmorFacts): {
  remedy: string
  request?: AdminRequest
} {
  if (rootsUnshare === undefined) {
    return {
      remedy:
        unshare === undefined
          ? 'See the check of the programs of util-linux, which unshare belongs to.'
          : `No profile may name ${unshare}, because others than root can change it or a folder above: remove it from PATH, then run envs doctor again.`,
    }
  }
  const name = `envs${rootsUnshare.replaceAll('/', '.')}`
  const restricting = `${PROFILES}/${RESTRICTING}`
  return {
    remedy:
      'Ask an administrator for an AppArmor profile for unshare: the request below has its text. It is enough: unshare starts bwrap.',
    request: {
      steps: [
        ...(isRestricting
          ? [
              `ln -s ../${RESTRICTING} ${PROFILES}/disable/${RESTRICTING}`,
              `apparmor_parser -R ${restricting}`,
            ]
          : []),
        [
          `cat >${PROFILES}/envs <<'EOF'`,
          'abi <abi/4.0>,',
          'include <tunables/global>',
          `profile ${name} ${rootsUnshare} flags=(unconfined) {`,
          '  userns,',
          '}',
          'EOF',
        ].join('\n'),
        `apparmor_parser -r ${PROFILES}/envs`,
      ],
      opens: `Every user may make user namespaces with ${rootsUnshare}, and reach parts of the kernel in them that only root could reach. The restriction stays for all other programs.`,
    },
  }
}

async function labelBehind(words: readonly string[]): Promise<string | undefined> {
  const {status, stdout} = await runTrial([...words, 'cat', LABEL])
  return status === 0 ? stdout.trim() : undefined
}

/** Checks whether /proc is completely visible: only then may a user mount one for a guest. */
export async function checkProc(): Promise<Check<'proc'>> {
  return judgeProc(parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')))
}

const PROC = {id: 'proc', title: 'Whole /proc'} as const

/** @see mount_namespaces(7), on restrictions: proc must be "fully visible" */
export function judgeProc(mounts: readonly MountEntry[]): Check<'proc'> {
  const covered = [...new Set(mounts.filter(isCover).map(({mountPoint}) => mountPoint))]
  if (covered.length === 0) return pass(PROC, 'Nothing in /proc is covered.')
  const shown = covered.slice(0, 3).join(', ')
  return fail(PROC, {
    evidence: `Covered by mounts: ${shown}${covered.length > 3 ? `, and ${covered.length - 3} more` : ''}.`,
    cost: 'envs can enter environments only with proot: the kernel refuses to mount a complete /proc here.',
    remedy:
      'Start the container around envs with --security-opt systempaths=unconfined (docker), or --security-opt unmask=ALL (podman).',
    request: {
      steps: ['# start the container with this option:', 'docker run --security-opt systempaths=unconfined'],
      opens: 'Programs in that container see all of /proc and /sys.',
    },
  })
}

/** binfmt_misc and its automount cover an empty folder that exists for them. */
function isCover({mountPoint, fileSystem}: MountEntry): boolean {
  const isPart = mountPoint !== '/proc' && isBelow(mountPoint, '/proc')
  return isPart && fileSystem !== 'binfmt_misc' && fileSystem !== 'autofs'
}

export async function checkNewPrivileges(): Promise<Check<'new-privileges'>> {
  return judgeNewPrivileges(await readProcessStatus())
}

const NEW_PRIVILEGES = {id: 'new-privileges', title: 'New privileges'} as const

/** With NoNewPrivs, setuid programs have no effect, including newuidmap. */
export function judgeNewPrivileges({
  noNewPrivileges,
}: Pick<ProcessStatus, 'noNewPrivileges'>): Check<'new-privileges'> {
  if (!noNewPrivileges) return pass(NEW_PRIVILEGES, 'NoNewPrivs is 0 in /proc/self/status.')
  return warn(NEW_PRIVILEGES, {
    evidence: 'NoNewPrivs is 1 in /proc/self/status.',
    cost: 'Environments are emulated: newuidmap, which maps subordinate ids, does not work.',
    remedy:
      'Start envs outside of the sandbox or service it runs in now (systemd: NoNewPrivileges=no; docker: without no-new-privileges).',
  })
}
