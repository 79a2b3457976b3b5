import type {InstalledPackage} from '../rootfs/packages/installed.js'
import type {Identity} from '../sandbox/ids/identity.js'

/** An installed package that needs more than its environment gives. */
export type PackageNotice = InstalledPackage & {
  readonly problem: string
  readonly remedy: string
}

type Known = {
  readonly name: string
  /** Where it is so; both when left out. */
  readonly identity?: Identity
  readonly problem: string
  readonly remedy: string
}

/** ip(7), ip_unprivileged_port_start: a user namespace gives no say over ports of a network that is not its own. */
const lowPort = (port: string) => `only the host's root may use ${port} of the shared network`

/** Each was seen with Debian 13's package; by name. */
const KNOWN: readonly Known[] = [
  {
    name: 'apache2',
    problem: lowPort('port 80'),
    remedy: 'Let it listen on a port from 1024 on: Listen 8080 in /etc/apache2/ports.conf.',
  },
  {
    name: 'chrony',
    problem: "the clock is the host's and can't be set, so chronyd gives up",
    remedy: 'chronyd -x leaves the clock alone.',
  },
  {
    name: 'cron',
    identity: 'emulated',
    problem: 'jobs of every user run as root, for cron changes its user in vain',
    remedy: 'Have the job become its user itself, with runuser; or make the environment mapped.',
  },
  {
    name: 'cups-daemon',
    problem: `${lowPort('port 631')}; its socket in /run works`,
    remedy: 'Let it listen on a port from 1024 on: Listen localhost:6310 in /etc/cups/cupsd.conf.',
  },
  {
    name: 'docker.io',
    problem: "dockerd has no say over the host's iptables and forwarding, and does not start without",
    remedy: 'Use a container engine on the host.',
  },
  {
    name: 'fuse3',
    problem: 'there is no /dev/fuse, and no device of the host can be shared',
    remedy: 'Mount it on the host, and share the folder: --volume FOLDER.',
  },
  {
    name: 'iptables',
    problem: "the packet filter is the host's and is refused",
    remedy: 'Filter on the host.',
  },
  {
    name: 'iputils-ping',
    problem:
      "raw sockets of the host's network are refused; ping works only where the host allows its users ICMP sockets",
    remedy: 'Ask for net.ipv4.ping_group_range to hold your group: 0 2147483647 on most systems.',
  },
  {
    name: 'nginx-common',
    problem: lowPort('port 80'),
    remedy: 'Let it listen on a port from 1024 on: listen 8080 in /etc/nginx/sites-enabled/default.',
  },
  {
    name: 'openssh-server',
    problem: lowPort('port 22'),
    remedy: 'Let it listen on a port from 1024 on: /usr/sbin/sshd -p 2222.',
  },
  {
    name: 'openssh-server',
    identity: 'emulated',
    problem: 'only the user that runs sshd can log in',
    remedy: 'Start it as that user (docs/identity.md), or make the environment mapped: envs clone.',
  },
  {
    name: 'polkitd',
    identity: 'emulated',
    problem: 'it finds that it did not become its own user, and gives up',
    remedy: 'Make the environment mapped: envs clone.',
  },
  {
    name: 'rsyslog',
    problem: "the kernel's log is refused; all else is logged",
    remedy: 'Take the line of imklog out of /etc/rsyslog.conf.',
  },
  {
    name: 'samba',
    problem: lowPort('ports 139 and 445'),
    remedy: 'Let it listen on a port from 1024 on: smbd -p 4450.',
  },
  {
    name: 'snapd',
    problem: 'it needs systemd as the first process',
    remedy: 'Install the program from APT instead.',
  },
  {
    name: 'systemd',
    problem: 'it is not the first process here, so systemctl starts nothing',
    remedy:
      "Start a service by its script, service NAME start, or run the program that its unit's ExecStart names.",
  },
  {
    name: 'tcpdump',
    problem: "packets are the host's network's, and capturing them is refused",
    remedy: 'Capture on the host.',
  },
]

/** What is known of the packages under an identity, by name of the package. */
export function noticesFor(installed: readonly InstalledPackage[], identity: Identity): PackageNotice[] {
  const versions = new Map(installed.map(({name, version}) => [name, version]))
  return KNOWN.flatMap(({name, identity: only = identity, problem, remedy}) => {
    const version = versions.get(name)
    return version === undefined || only !== identity ? [] : [{name, version, problem, remedy}]
  })
}
