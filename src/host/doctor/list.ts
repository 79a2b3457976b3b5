import type {Host} from '../host.js'
import type {MapperHost} from '../id-mapper.js'
import {readOsRelease} from '../os-release.js'
import {checkAccount} from './account.js'
import {checkApparmor} from './apparmor.js'
import {checkBubblewrap} from './bubblewrap.js'
import {CHECK_TITLES, type Check} from './check.js'
import {judgePlace, observeDisk} from './disk.js'
import {judgeExecution} from './execution.js'
import {checkKernel} from './kernel.js'
import {checkLauncher} from './launcher.js'
import {checkNewPrivileges} from './new-privileges.js'
import {checkNewuidmap} from './newuidmap.js'
import {checkNode} from './node.js'
import {checkProc} from './proc.js'
import {checkSubordinateIds} from './subordinate-ids.js'
import {checkUserNamespaces} from './user-namespaces.js'
import {checkUtilLinux} from './util-linux.js'

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
