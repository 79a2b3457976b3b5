import {type PresentPackage, parseDpkgStatus} from '../../debian/dpkg-status.js'
import {readGuestFile} from './guest-file.js'

/** A package in dpkg's list. The guest writes that list: do not trust it. */
export type InstalledPackage = Pick<PresentPackage, 'name' | 'version'>

/** A desktop of 4,000 packages has 8 MB. */
export const MOST_STATUS_BYTES = 16 * 2 ** 20

/**
 * Returns the installed packages of a tree, in dpkg's order; a package of several architectures occurs once.
 *
 * @returns Undefined if dpkg has no list.
 */
export function readInstalledPackages(root: string): InstalledPackage[] | undefined {
  const status = readGuestFile(root, ['var', 'lib', 'dpkg', 'status'], {maxBytes: MOST_STATUS_BYTES})
  return status === undefined ? undefined : installedIn(parseDpkgStatus(status.toString('latin1')))
}

/** @see dpkg(1), "Package states" */
export function installedIn(packages: ReadonlyMap<string, PresentPackage>): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>()
  for (const {name, version, state} of packages.values())
    if (state === 'installed' && !found.has(name)) found.set(name, {name, version})
  return [...found.values()]
}
