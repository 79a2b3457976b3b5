import type {Host} from '../host.js'
import {checkBubblewrap} from './bubblewrap.js'
import type {Check} from './check.js'
import {checkDisk} from './disk.js'
import {checkPerl} from './perl.js'
import {checkSubordinateIds} from './subordinate-ids.js'
import {checkUserNamespaces} from './user-namespaces.js'
import {checkUtilLinux} from './util-linux.js'

/** Looks at all that envs needs of the host, in the order in which a reader should mend it. */
export function examineHost(host: Pick<Host, 'which' | 'uid' | 'paths'>): Promise<Check[]> {
  return Promise.all([
    checkUtilLinux(host),
    checkUserNamespaces(host),
    checkBubblewrap(host),
    checkPerl(host),
    checkSubordinateIds(host),
    checkDisk(host),
  ])
}

/** Whether environments can run here at all. */
export function canRun(checks: readonly Check[]): boolean {
  return checks.every(({status}) => status !== 'fail')
}
