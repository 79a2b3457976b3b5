import {type PresentPackage, parseDpkgStatus} from '../../debian/dpkg-status.js'
import {MOST_STATUS_BYTES} from '../packages/installed.js'
import {type Group, parseGroups, parseUsers, type User} from './accounts.js'
import type {MergedTree} from './merged-tree.js'

const MOST_ACCOUNTS_BYTES = 4 * 2 ** 20

/** Returns packages by name and architecture; undefined if dpkg has no list. */
export function readPackages(tree: MergedTree): Map<string, PresentPackage> | undefined {
  const status = tree.read('var/lib/dpkg/status', {maxBytes: MOST_STATUS_BYTES})
  return status === undefined ? undefined : parseDpkgStatus(status.toString('latin1'))
}

export function readAccounts(tree: MergedTree): {users: Map<string, User>; groups: Map<string, Group>} {
  const text = (path: string) => tree.read(path, {maxBytes: MOST_ACCOUNTS_BYTES})?.toString() ?? ''
  return {
    users: parseUsers(text('etc/passwd'), text('etc/shadow')),
    groups: parseGroups(text('etc/group')),
  }
}
