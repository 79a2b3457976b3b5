import {readGuestFile} from './guest-file.js'

/** A package in dpkg's list. The guest writes that list: do not trust it. */
export type InstalledPackage = {readonly name: string; readonly version: string}

/** A desktop of 4,000 packages has 8 MB. */
const MOST_STATUS_BYTES = 16 * 2 ** 20

/**
 * Returns the installed packages of a tree, in dpkg's order; a package of several architectures occurs once.
 *
 * @returns Undefined if dpkg has no list.
 */
export function readInstalledPackages(root: string): InstalledPackage[] | undefined {
  const status = readGuestFile(root, ['var', 'lib', 'dpkg', 'status'], {maxBytes: MOST_STATUS_BYTES})
  return status === undefined ? undefined : parseStatus(status.toString('latin1'))
}

const NAME = /^Package: (?<name>[a-z0-9][a-z0-9+.-]*)$/m
const VERSION = /^Version: (?<version>[A-Za-z0-9.+:~-]+)$/m
const INSTALLED = /^Status: \S+ \S+ installed$/m

/** @see deb822(5); dpkg(1), "Package states" */
export function parseStatus(text: string): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>()
  for (const paragraph of text.split('\n\n')) {
    const name = NAME.exec(paragraph)?.groups?.['name']
    const version = VERSION.exec(paragraph)?.groups?.['version']
    if (name === undefined || version === undefined || !INSTALLED.test(paragraph)) continue
    if (!found.has(name)) found.set(name, {name, version})
  }
  return [...found.values()]
}
