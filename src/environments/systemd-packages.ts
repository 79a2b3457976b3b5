import type {Host} from '../host/host.js'
import {readInstalledPackages} from '../rootfs/installed-packages.js'
import type {Environment} from '../store/environments.js'
import {readGuestTree, treeFolders} from '../store/mounted-tree.js'

/** systemd as pid 1, the bus that `systemctl` of users asks, and sessions of users. */
export const SYSTEMD_PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd'] as const

/** Returns whether dpkg's list, which the guest writes, has the package that makes systemd pid 1. */
export async function hasSystemd({paths}: Pick<Host, 'paths'>, environment: Environment): Promise<boolean> {
  const folders = treeFolders(paths, await readGuestTree(environment))
  const found = folders.map((folder) => readInstalledPackages(folder)).find((list) => list !== undefined)
  return found?.some(({name}) => name === 'systemd-sysv') === true
}
