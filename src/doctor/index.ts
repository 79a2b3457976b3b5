import {CHECK_TITLES, type Check} from '../host/check.js'
import type {Host} from '../host/host.js'
import type {MapperHost} from '../host/id-mapping.js'
import {readOsRelease} from '../host/os-release.js'
import {judgeExecution, judgePlace, observeDisk} from './disk.js'
import {checkAccount, checkNewuidmap, checkSubordinateIds} from './ids.js'
import {checkApparmor, checkNewPrivileges, checkProc, checkUserNamespaces} from './namespaces.js'
import {checkGuestNetwork} from './network.js'
import {checkBubblewrap, checkKernel, checkLauncher, checkNode, checkUtilLinux} from './programs.js'

/** Makes all checks of the host itself; writes nothing, and asks no server. */
export async function examineHost(host: MapperHost & Pick<Host, 'paths'>): Promise<Check[]> {
  const distribution = (await readOsRelease()).id
  const checks = await Promise.all([
    checkUtilLinux(host, distribution),
    checkUserNamespaces(host),
    checkApparmor(host),
    checkProc(),
    checkKernel(),
    checkBubblewrap(host, distribution),
    checkLauncher(host, distribution),
    checkNewPrivileges(),
    checkNewuidmap(host, distribution),
    checkSubordinateIds(host),
    checkAccount(host),
    checkGuestNetwork(host),
    checkNode(),
  ])
  const place = await observeDisk(host)
  return inOrder([...checks, judgePlace(place), judgeExecution(place)])
}

/** Sorts checks in the order in which to solve the problems. */
export function inOrder(checks: readonly Check[]): Check[] {
  const order = Object.keys(CHECK_TITLES)
  return [...checks].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
}

/** Returns whether environments can run at all. */
export function canRun(checks: readonly Check[]): boolean {
  return checks.every(({status}) => status !== 'fail')
}
