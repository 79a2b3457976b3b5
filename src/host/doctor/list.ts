import type {Host} from '../host.js'
import type {MapperHost} from '../id-mapper.js'
import {checkBubblewrap} from './bubblewrap.js'
import type {Check} from './check.js'
import {checkDisk} from './disk.js'
import {checkLauncher} from './launcher.js'
import {checkSubordinateIds} from './subordinate-ids.js'
import {checkUserNamespaces} from './user-namespaces.js'
import {checkUtilLinux} from './util-linux.js'

/** Looks at all that envs needs of the host, in the order in which a reader should mend it. */
export function examineHost(host: MapperHost & Pick<Host, 'paths'>): Promise<Check[]> {
  return Promise.all([
    checkUtilLinux(host),
    checkUserNamespaces(host),
    checkBubblewrap(host),
    checkLauncher(host),
    checkSubordinateIds(host),
    checkDisk(host),
  ])
}

/** Whether environments can run here at all. */
export function canRun(checks: readonly Check[]): boolean {
  return checks.every(({status}) => status !== 'fail')
}
