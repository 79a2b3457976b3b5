import {readdir} from 'node:fs/promises'
import type {Host} from '../host.js'
import {type AdminRequest, type Check, fail, pass, warn} from './check.js'
import {readKernelSetting} from './kernel-setting.js'
import {runTrial} from './trial.js'

const SWITCH = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
const PROFILES = '/etc/apparmor.d'
/**
 * Profiles of Ubuntu that let a program make a user namespace, and deny its children all capabilities in it.
 */
const RESTRICTING = ['bwrap-userns-restrict', 'unshare-userns-restrict']
const LABEL = '/proc/self/attr/current'
/** AppArmor's label of a program without capabilities in a user namespace. */
const POWERLESS = /^(?:unprivileged_userns|unpriv_bwrap|unpriv_unshare|bwrap\/\/&unpriv_bwrap)\b|\bunpriv_/

/** Facts about AppArmor's restriction of user namespaces. */
export type ApparmorFacts = {
  /** Value of {@link SWITCH}; undefined on kernels without it. */
  readonly restriction: string | undefined
  /** Label of a program in a namespace made by unshare, or bwrap; undefined if none could be made. */
  readonly labelByUnshare: string | undefined
  readonly labelByBwrap: string | undefined
  /** Names in /etc/apparmor.d of profiles that restrict bwrap and unshare. */
  readonly restricting: readonly string[]
  /** Absolute paths of the programs that make namespaces. */
  readonly programs: readonly string[]
}

/**
 * Ubuntu's restriction of user namespaces, since 23.10, in its three tiers. @see
 * https://ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces
 */
export async function checkApparmor({which}: Pick<Host, 'which'>): Promise<Check> {
  const restriction = await readKernelSetting(SWITCH)
  const [unshare, bwrap] = [which('unshare'), which('bwrap')]
  const programs = [unshare, bwrap].filter((path) => path !== undefined)
  if (restriction !== '1') {
    const none = {labelByUnshare: undefined, labelByBwrap: undefined, restricting: []}
    return judgeApparmor({restriction, ...none, programs})
  }
  const entries: string[] = await readdir(PROFILES).catch(() => [])
  return judgeApparmor({
    restriction,
    labelByUnshare: unshare && (await labelBehind([unshare, '--user', '--map-root-user', '--'])),
    labelByBwrap: bwrap && (await labelBehind([bwrap, '--ro-bind', '/', '/', '--unshare-user', '--'])),
    restricting: RESTRICTING.filter((name) => entries.includes(name)),
    programs,
  })
}

export function judgeApparmor(facts: ApparmorFacts): Check {
  const {restriction, labelByUnshare, labelByBwrap} = facts
  if (restriction === undefined) return pass('apparmor', 'This kernel has no restriction of user namespaces.')
  if (restriction !== '1') return pass('apparmor', `${SWITCH} is ${restriction}.`)
  const labels = [labelByBwrap, labelByUnshare].filter((label) => label !== undefined)
  if (labels.length === 0) {
    return fail('apparmor', {
      evidence: `${SWITCH} is 1, and neither bwrap nor unshare could make a user namespace.`,
      cost: 'envs can enter environments only with the engine proot.',
      remedy:
        'Ask an administrator for an AppArmor profile for bwrap and unshare: the request below has its text.',
      request: profileRequest(facts),
    })
  }
  const powerless = labels.find((label) => POWERLESS.test(label))
  if (powerless !== undefined) {
    return warn('apparmor', {
      evidence: `${SWITCH} is 1, and a program in a namespace is labelled ${powerless}.`,
      cost: 'The first programs of an environment have no capabilities: environments are emulated only, or fail to start.',
      remedy:
        'Ask an administrator for an AppArmor profile for bwrap and unshare: the request below has its text.',
      request: profileRequest(facts),
    })
  }
  return pass('apparmor', `${SWITCH} is 1, and a profile lets namespaces be made (${labels.join(', ')}).`)
}

/** A profile for each program: the restriction stays for all others. */
function profileRequest({programs, restricting}: ApparmorFacts): AdminRequest {
  const profiles = programs.map(
    (path) => `profile envs${path.replaceAll('/', '.')} ${path} flags=(unconfined) {\n  userns,\n}`,
  )
  return {
    steps: [
      ...restricting.flatMap((name) => [
        `ln -s ../${name} ${PROFILES}/disable/${name}`,
        `apparmor_parser -R ${PROFILES}/${name}`,
      ]),
      [
        `cat >${PROFILES}/envs <<'EOF'`,
        'abi <abi/4.0>,',
        'include <tunables/global>',
        ...profiles,
        'EOF',
      ].join('\n'),
      `apparmor_parser -r ${PROFILES}/envs`,
    ],
    opens: `Every user may make user namespaces with ${programs.join(' and ')}. The restriction stays for all other programs.`,
  }
}

async function labelBehind(words: readonly string[]): Promise<string | undefined> {
  const {status, stdout} = await runTrial([...words, 'cat', LABEL])
  return status === 0 ? stdout.trim() : undefined
}
