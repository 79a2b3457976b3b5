import type {Host} from '../host/host.js'
import {capabilityNames} from '../rootfs/ledger/capability-names.js'
import type {LedgerEntry} from '../rootfs/ledger/entry.js'
import {readLedger} from '../rootfs/ledger/file.js'
import {type InstalledPackage, readInstalledPackages} from '../rootfs/packages/installed.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {readGuestTree, treeFolders} from './guest-tree.js'
import {noticesFor, type PackageNotice} from './known-packages.js'
import {chooseEnvironment} from './store.js'

/** A file of the image, or of the tree a clone was made of, that is not as it was there. */
export type MissingFile = {
  /** Absolute in the guest. */
  readonly path: string
  readonly kind: LedgerEntry['kind']
  readonly lost: LedgerEntry['lost']
  readonly uid: number
  readonly gid: number
  /** Octal, with setuid, setgid and sticky. */
  readonly mode: string
  readonly capabilities: readonly string[]
  readonly device: {readonly type: 'char' | 'block'; readonly major: number; readonly minor: number} | null
}

/** What an environment can't be, as far as that is known. */
export type EnvironmentReport = {
  readonly name: string
  readonly identity: Identity
  readonly missing: readonly MissingFile[]
  /** So many more are not known one by one. */
  readonly missingUnlisted: number
  /** Installed packages that need more than the environment gives; null where dpkg has no list. */
  readonly packages: readonly PackageNotice[] | null
}

/**
 * Looks at an environment from the host, whether it runs or not.
 *
 * @param text - Its name.
 * @throws {EnvironmentNotFoundError} @throws {LedgerUnreadableError}
 */
export async function examineEnvironment(
  host: Pick<Host, 'paths'>,
  text: string,
): Promise<EnvironmentReport> {
  const environment = await chooseEnvironment(host.paths, text)
  const {name, files, record} = environment
  const {entries, dropped} = readLedger(files.ledger)
  const installed = installedIn(treeFolders(host.paths, await readGuestTree(environment)))
  return {
    name,
    identity: record.identity,
    missing: entries.map(describeEntry),
    missingUnlisted: dropped,
    packages: installed === undefined ? null : noticesFor(installed, record.identity),
  }
}

/** By the uppermost layer that has dpkg's list. */
function installedIn(folders: readonly string[]): InstalledPackage[] | undefined {
  for (const folder of folders) {
    const installed = readInstalledPackages(folder)
    if (installed !== undefined) return installed
  }
  return undefined
}

function describeEntry({path, kind, lost, uid, gid, mode, capability, device}: LedgerEntry): MissingFile {
  return {
    path: `/${Buffer.from(path, 'latin1').toString()}`,
    kind,
    lost,
    uid,
    gid,
    mode: mode.toString(8).padStart(4, '0'),
    capabilities: capability === undefined ? [] : capabilityNames(capability),
    device: device ?? null,
  }
}
