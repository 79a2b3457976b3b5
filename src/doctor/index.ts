import {type Check, seeCheck} from '../host/check.js'
import type {Host} from '../host/host.js'
import type {MapperHost} from '../host/id-mapping.js'
import {readOsRelease} from '../host/machine/os-release.js'
import {checkCgroups} from './cgroups.js'
import {judgeExecution, judgePlace, observeDisk, type Place} from './disk.js'
import {checkAccount, checkNewuidmap, checkSubordinateIds} from './ids.js'
import {checkApparmor, checkNewPrivileges, checkProc, checkUserNamespaces} from './namespaces.js'
import {checkGuestNetwork, checkProxies} from './network.js'
import {checkBubblewrap, checkKernel, checkLauncher, checkNode, checkUtilLinux} from './programs.js'

type ExaminedHost = MapperHost & Pick<Host, 'environment' | 'paths'>

/** Facts that several checks need. */
type Circumstances = {
  readonly host: ExaminedHost
  /** ID of os-release(5). */
  readonly distribution: string | undefined
  /** The disk of the store. */
  readonly place: Promise<Place>
}

type Examination<Id extends string> = (known: Circumstances) => Check<Id> | Promise<Check<Id>>

/** `elsewhere`: a feature, or the report of `envs doctor`, makes the check. */
type CheckList<Id extends string> = {readonly [Each in Id]: Examination<Each> | 'elsewhere'}

function checkList<Id extends string>(list: CheckList<Id>): CheckList<Id> {
  return list
}

/** All checks, in the order in which to solve the problems. */
const CHECKS = checkList({
  engine: 'elsewhere',
  'util-linux': ({host, distribution}) => checkUtilLinux(host, distribution),
  'user-namespaces': ({host}) => checkUserNamespaces(host),
  apparmor: ({host}) => checkApparmor(host),
  proc: () => checkProc(),
  kernel: () => checkKernel(),
  bubblewrap: ({host, distribution}) => checkBubblewrap(host, distribution),
  launcher: ({host, distribution}) => checkLauncher(host, distribution),
  'new-privileges': () => checkNewPrivileges(),
  newuidmap: ({host, distribution}) => checkNewuidmap(host, distribution),
  'subordinate-ids': ({host}) => checkSubordinateIds(host),
  disk: async ({place}) => judgePlace(await place),
  execution: async ({place}) => judgeExecution(await place),
  overlay: 'elsewhere',
  leftovers: 'elsewhere',
  account: ({host}) => checkAccount(host),
  node: () => checkNode(),
  processors: 'elsewhere',
  cgroups: ({host}) => checkCgroups(host),
  network: ({host}) => checkGuestNetwork(host),
  proxies: ({host}) => checkProxies(host),
  'private-network': 'elsewhere',
  mirrors: 'elsewhere',
  clock: 'elsewhere',
})

export type CheckId = keyof typeof CHECKS

/** A check of the list. */
export type HostCheck = Check<CheckId>

/** Makes all checks of the host itself; writes nothing, and asks no server. */
export async function examineHost(host: ExaminedHost): Promise<HostCheck[]> {
  const known = {host, distribution: (await readOsRelease()).id, place: observeDisk(host)}
  const makers: readonly (Examination<CheckId> | 'elsewhere')[] = Object.values(CHECKS)
  const checks = makers.flatMap((make) => (make === 'elsewhere' ? [] : [make(known)]))
  return withoutConsequences(await Promise.all(checks))
}

/** Checks that another one explains, if that one fails: the trials of all of them are refused for the same cause. */
const CONSEQUENCES: readonly (readonly [cause: CheckId, consequences: readonly CheckId[]])[] = [
  ['user-namespaces', ['apparmor', 'bubblewrap']],
  ['apparmor', ['bubblewrap']],
  ['proc', ['bubblewrap']],
]

/**
 * Lets one cause be one failed check, with its remedy: the others that fail for the same cause become warnings that lead to it.
 * A program that is missing is a cause of its own.
 */
export function withoutConsequences(checks: readonly HostCheck[]): HostCheck[] {
  return checks.map((check) => {
    const isMissing = check.id === 'bubblewrap' && check.request !== null
    if (check.status !== 'fail' || isMissing) return check
    const [cause] = CONSEQUENCES.flatMap(([id, consequences]) =>
      consequences.includes(check.id)
        ? checks.filter((other) => other.id === id && other.status === 'fail')
        : [],
    )
    if (cause === undefined) return check
    const remedy = seeCheck(cause)
    return {
      ...check,
      status: 'warn',
      cost: `Not judged: the check "${cause.title}" fails.`,
      remedy,
      request: null,
    }
  })
}

/** Sorts checks in the order in which to solve the problems. */
export function inOrder(checks: readonly HostCheck[]): HostCheck[] {
  const order = Object.keys(CHECKS)
  return [...checks].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
}

/** Returns whether environments can run at all. */
export function canRun(checks: readonly Check[]): boolean {
  return checks.every(({status}) => status !== 'fail')
}
