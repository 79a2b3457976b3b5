import {existsSync} from 'node:fs'
import type {GuestNamespace} from './second-namespace.js'

/** One mount in the guest. Engines mount in list order. */
export type Mount =
  | {
      readonly kind: 'bind'
      readonly from: string
      readonly at: string
      readonly access: 'rw' | 'ro'
      readonly ifMissing?: 'skip'
    }
  | {
      readonly kind: 'overlay'
      /** From the bottom upwards. */
      readonly lowers: readonly string[]
      readonly upper: string
      readonly work: string
      readonly at: string
    }
  /** `empty`: an empty read-only folder that covers the mount point. */
  | {readonly kind: 'tmpfs' | 'empty' | 'proc' | 'dev' | 'mqueue'; readonly at: string}

/** The mount of the guest's `/`. */
export type RootMount = Extract<Mount, {kind: 'bind' | 'overlay'}>

/** Returns the root mount of a whole tree. */
export function plainRoot(path: string): RootMount {
  return {kind: 'bind', from: path, at: '/', access: 'rw'}
}

/**
 * Mount point of the resolver's settings; the guest's /etc/resolv.conf is a symlink into this folder.
 *
 * A folder: a package can't replace a file that is a mount point (EBUSY), and bwrap 0.12 refuses a symlink as a target.
 */
export const RESOLVER_MOUNT_POINT = '/run/envs'

/** Mount point of the package cache; templates/rootfs/apt/apt-http uses the same path. */
export const PACKAGES_MOUNT_POINT = '/run/envs/packages'

/** Mount point of a copy of the host's shell, for a guest that has none. */
export const SHELL_MOUNT_POINT = '/run/envs/shell'

/** Mount point of the supervisor of services, templates/guest/services. */
export const SERVICES_MOUNT_POINT = '/run/envs/services'

/** Folders that a tree must contain before it is mounted; relative to its root. */
export const MOUNT_POINTS = ['dev', 'proc', 'sys', 'run/envs'] as const

/**
 * Returns the mounts of the kernel's file systems.
 *
 * The host's devpts is not among them: a guest could open each terminal of the user.
 */
export function kernelMounts(guestNamespace: GuestNamespace): Mount[] {
  return [
    {kind: 'dev', at: '/dev'},
    {kind: 'tmpfs', at: '/dev/shm'},
    {kind: 'mqueue', at: '/dev/mqueue'},
    {kind: 'proc', at: '/proc'},
    ...(guestNamespace === 'of-root' ? ROOTS_KERNEL_FILES.map(readOnly) : []),
    {kind: 'bind', from: '/sys', at: '/sys', access: 'ro'},
    ...MASKED_KERNEL_FOLDERS.filter((path) => existsSync(path)).map((at) => ({kind: 'empty', at}) as const),
  ]
}

/**
 * Folders of /sys that are hidden from the guest: through the control groups in /sys/fs it could stop other processes of the
 * user.
 */
export const MASKED_KERNEL_FOLDERS = ['/sys/fs', '/sys/firmware', '/sys/kernel/security']

/** Files of /proc that change the host and that uid 0 may write in any user namespace; Docker protects the same ones. */
const ROOTS_KERNEL_FILES = [
  ...['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus'],
  ...['/proc/fs', '/proc/acpi', '/proc/scsi'],
]

function readOnly(path: string): Mount {
  return {kind: 'bind', from: path, at: path, access: 'ro', ifMissing: 'skip'}
}
