import type {Host} from '../../host/host.js'
import {type InstalledPackage, readInstalledPackages} from '../../rootfs/installed-packages.js'
import {capabilityNames} from '../../rootfs/ledger/capabilities.js'
import {type LedgerEntry, readLedger} from '../../rootfs/ledger/ledger.js'
import type {Identity} from '../../sandbox/identity.js'
import {chooseEnvironment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import {type InitKind, initOf} from '../../store/record.js'

/** A file that lost a property in the environment, compared with the image or the original of a clone. */
export type MissingFile = {
  /** Absolute path in the guest. */
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

/** The known restrictions of an environment. */
export type EnvironmentReport = {
  readonly name: string
  readonly identity: Identity
  readonly missing: readonly MissingFile[]
  /** Number of further files that the ledger does not list. */
  readonly missingUnlisted: number
  /** Installed packages that need more than the environment provides; null if dpkg has no list. */
  readonly packages: readonly PackageNotice[] | null
}

/**
 * Examines an environment from the host, running or not.
 *
 * @param text - The name of the environment.
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
    packages: installed === undefined ? null : noticesFor(installed, record.identity, initOf(record)),
  }
}

/** Reads the list of packages in the uppermost layer that has one. */
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

/** An installed package that needs more than the environment provides. */
export type PackageNotice = InstalledPackage & {
  readonly problem: string
  readonly remedy: string
}

type KnownPackage = {
  readonly name: string
  /** The identity with the problem; both if undefined. */
  readonly identity?: Identity
  /** The init with the problem; all if undefined. */
  readonly init?: InitKind
  readonly problem: string
  readonly remedy: string
}

/** A user namespace has no privileges over the ports of a network namespace that it does not own. @see ip(7), ip_unprivileged_port_start */
const lowPort = (port: string) => `only root of the host may use ${port} of the shared network`

/** Problems observed with the packages of Debian 13, sorted by name. */
const KNOWN: readonly KnownPackage[] = [
  {
    name: 'apache2',
    problem: lowPort('port 80'),
    remedy: 'Use port 1024 or higher: Listen 8080 in /etc/apache2/ports.conf.',
  },
  {
    name: 'chrony',
    problem: 'an environment cannot set the clock of the host, so chronyd ends',
    remedy: 'Start chronyd with -x, which does not set the clock.',
  },
  {
    name: 'cron',
    identity: 'emulated',
    problem: 'cron cannot change its user, so the jobs of every user run as root',
    remedy: 'Let the job change its user itself with runuser, or use the identity mapped: envs clone.',
  },
  {
    name: 'cups-daemon',
    problem: `${lowPort('port 631')}; its socket in /run works`,
    remedy: 'Use port 1024 or higher: Listen localhost:6310 in /etc/cups/cupsd.conf.',
  },
  {
    name: 'docker.io',
    problem: 'dockerd does not start: it cannot change iptables and forwarding of the host',
    remedy: 'Use a container engine on the host.',
  },
  {
    name: 'fuse3',
    problem: 'the environment has no /dev/fuse, and envs shares no device of the host',
    remedy: 'Mount the file system on the host and share its folder: --volume FOLDER',
  },
  {
    name: 'iptables',
    problem: 'an environment cannot change the packet filter of the host',
    remedy: 'Filter on the host.',
  },
  {
    name: 'iputils-ping',
    problem:
      'an environment has no raw sockets on the network of the host; ping works only where the host lets its users open ICMP sockets',
    remedy:
      'Ask your administrator to add your group to net.ipv4.ping_group_range: 0 2147483647 on most systems.',
  },
  {
    name: 'nginx-common',
    problem: lowPort('port 80'),
    remedy: 'Use port 1024 or higher: listen 8080 in /etc/nginx/sites-enabled/default.',
  },
  {
    name: 'openssh-server',
    problem: lowPort('port 22'),
    remedy: 'Use port 1024 or higher: /usr/sbin/sshd -p 2222.',
  },
  {
    name: 'openssh-server',
    identity: 'emulated',
    problem: 'only the user who runs sshd can log in',
    remedy: 'Start sshd as that user (docs/identity.md), or use the identity mapped: envs clone.',
  },
  {
    name: 'polkitd',
    identity: 'emulated',
    problem: 'polkitd ends because it cannot change to its own user',
    remedy: 'Use the identity mapped: envs clone.',
  },
  {
    name: 'rsyslog',
    problem: 'an environment cannot read the log of the kernel; all other messages are logged',
    remedy: 'Remove the line of imklog from /etc/rsyslog.conf.',
  },
  {
    name: 'samba',
    problem: lowPort('ports 139 and 445'),
    remedy: 'Use port 1024 or higher: smbd -p 4450.',
  },
  {
    name: 'snapd',
    problem: 'snapd needs systemd as the first process',
    remedy: 'Install the program from APT instead.',
  },
  {
    name: 'systemd',
    identity: 'emulated',
    init: 'systemd',
    problem:
      'units run with all capabilities of root and without their limits of namespaces and system calls, because all users are one id',
    remedy: 'Use the identity mapped: envs clone.',
  },
  {
    name: 'systemd',
    init: 'none',
    problem: 'systemd is not the first process of this environment, so systemctl starts nothing',
    remedy:
      'Boot with systemd: envs set NAME init=systemd. Or start a service with its script: service NAME start.',
  },
  {
    name: 'tcpdump',
    problem: 'an environment cannot capture packets on the network of the host',
    remedy: 'Capture on the host.',
  },
]

/** Returns the known problems of the packages under an identity, sorted by the name of the package. */
export function noticesFor(
  installed: readonly InstalledPackage[],
  identity: Identity,
  init: InitKind = 'none',
): PackageNotice[] {
  const versions = new Map(installed.map(({name, version}) => [name, version]))
  return KNOWN.flatMap(({name, identity: only = identity, init: onlyInit = init, problem, remedy}) => {
    const version = versions.get(name)
    return version === undefined || only !== identity || onlyInit !== init
      ? []
      : [{name, version, problem, remedy}]
  })
}
