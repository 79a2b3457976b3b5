import {templateText} from '../../host/paths.js'
import type {Identity} from '../identity.js'
import type {GuestCgroups} from './cgroups.js'

/** A file, folder or link that the first process finds; templates/host/anchor.pl makes them in their order. */
export type BootEntry =
  | {readonly kind: 'folder'; readonly at: string; readonly mode: string}
  | {readonly kind: 'file'; readonly at: string; readonly mode: string; readonly text: string}
  | {readonly kind: 'link'; readonly at: string; readonly target: string}

/** Units for devices, file systems and networks, which belong to the host. A unit of the same name in the guest's /etc is still used. */
// biome-ignore format: a line for each kind
const MASKED_UNITS: readonly string[] = [
  /* mounts */ 'tmp.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-kernel-config.mount',
  'sys-fs-fuse-connections.mount', 'dev-hugepages.mount', 'dev-mqueue.mount', 'proc-sys-fs-binfmt_misc.automount',
  'run-lock.mount', 'systemd-remount-fs.service',
  /* the kernel */ 'systemd-modules-load.service', 'systemd-udevd.service', 'systemd-udev-trigger.service',
  'systemd-udevd-control.socket', 'systemd-udevd-kernel.socket', 'systemd-random-seed.service', 'systemd-binfmt.service',
  'kmod-static-nodes.service', 'systemd-tpm2-setup.service', 'systemd-tpm2-setup-early.service', 'systemd-oomd.service',
  'systemd-oomd.socket', 'systemd-sysctl.service',
  /* the network and the clock */ 'systemd-resolved.service', 'systemd-networkd.service', 'systemd-networkd.socket',
  'systemd-networkd-wait-online.service', 'systemd-timesyncd.service',
  /* terminals */ 'console-getty.service', 'getty.target',
  /* regular jobs of a machine */ 'apt-daily.timer', 'apt-daily-upgrade.timer', 'motd-news.timer', 'fstrim.timer',
  'e2scrub_all.timer', 'e2scrub_reap.service',
]

/** Tells the keeper that a shutdown is a reboot: systemd may not call reboot(2), and ends in both cases with 0. */
const REBOOT_UNIT = `[Unit]
Description=Tell envs of the reboot
DefaultDependencies=no
Before=systemd-reboot.service

[Service]
Type=oneshot
Environment=NOTIFY_SOCKET=/run/host/notify
ExecStart=/bin/systemd-notify X_SYSTEMD_SHUTDOWN=reboot
`

/**
 * With one id, systemd can't become a unit's user, and refuses to go on when its ids and capabilities are not the unit's
 * afterwards: `templates/guest/users-generator.pl` puts runuser(1) before the commands instead.
 */
const EMULATED_SERVICES = [
  ...['User=', 'Group=', 'SupplementaryGroups=', 'DynamicUser=no', 'PrivateUsers=no'],
  ...['AmbientCapabilities=', 'CapabilityBoundingSet=~', 'RestrictNamespaces=no', 'RestrictSUIDSGID=no'],
]

/** The keeper mounts files on /proc/PID/cgroup; systemd has a unit for each mount, and would unmount these when it halts. */
const OWN_MOUNTS = '[Unit]\nDefaultDependencies=no\n'

/** systemd refuses the PID file of another user when no group shows the process as the service's. */
const MAKE_BELIEVE_SERVICES = ['PIDFile=']

/** Returns the entries of the guest's /run. */
export async function runEntries({
  identity,
  cgroups,
}: {
  readonly identity: Identity
  readonly cgroups: GuestCgroups['kind']
}): Promise<BootEntry[]> {
  const units = '/run/systemd/system'
  const settings = [
    ...(cgroups === 'make-believe' ? MAKE_BELIEVE_SERVICES : []),
    ...(identity === 'emulated' ? EMULATED_SERVICES : []),
  ]
  return [
    ...['/run/envs', '/run/host', '/run/systemd', units, `${units}/service.d`].map(folder),
    file('/run/host/notify', ''),
    // Packages of systemd-resolved make /etc/resolv.conf a link to it.
    folder('/run/systemd/resolve'),
    {kind: 'link', at: '/run/systemd/resolve/stub-resolv.conf', target: '/run/envs/resolv.conf'},
    // https://systemd.io/CONTAINER_INTERFACE: how the programs of a guest learn that it is one.
    file('/run/systemd/container', 'envs\n'),
    file('/run/host/container-manager', 'envs\n'),
    ...MASKED_UNITS.map((unit) => ({kind: 'link', at: `${units}/${unit}`, target: '/dev/null'}) as const),
    file(`${units}/envs-reboot.service`, REBOOT_UNIT),
    folder(`${units}/reboot.target.wants`),
    {kind: 'link', at: `${units}/reboot.target.wants/envs-reboot.service`, target: '../envs-reboot.service'},
    ...(cgroups === 'make-believe'
      ? [folder(`${units}/proc-.mount.d`), file(`${units}/proc-.mount.d/50-envs.conf`, OWN_MOUNTS)]
      : []),
    ...(settings.length === 0
      ? []
      : [file(`${units}/service.d/50-envs.conf`, ['[Service]', ...settings, ''].join('\n'))]),
    ...(identity === 'emulated' ? await userGenerator() : []),
  ]
}

async function userGenerator(): Promise<BootEntry[]> {
  const generators = '/run/systemd/system-generators'
  const text = await templateText('guest/users-generator.pl')
  return [folder(generators), {kind: 'file', at: `${generators}/envs-users`, mode: '0755', text}]
}

function folder(at: string): BootEntry {
  return {kind: 'folder', at, mode: '0755'}
}

function file(at: string, text: string): BootEntry {
  return {kind: 'file', at, mode: '0644', text}
}
