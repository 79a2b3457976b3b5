import {existsSync} from 'node:fs'
import type {GuestNamespace} from './second-namespace.js'

/** One change to the guest's view of the file system. Applied in list order. */
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
  /** `empty`: a folder that nothing can be written to, over what is there. */
  | {readonly kind: 'tmpfs' | 'empty' | 'proc' | 'dev' | 'mqueue'; readonly at: string}

/** What becomes the guest's `/`. */
export type RootMount = Extract<Mount, {kind: 'bind' | 'overlay'}>

/** A tree of its own. */
export function plainRoot(path: string): RootMount {
  return {kind: 'bind', from: path, at: '/', access: 'rw'}
}

/**
 * Where the guest finds the resolver's settings; its /etc/resolv.conf links into this folder.
 *
 * A folder: a file bound over another can't be replaced by a package (EBUSY), and bwrap 0.12 refuses a link as its target.
 */
export const RESOLVER_MOUNT_POINT = '/run/envs'

/** Where the guest finds what environments share; templates/rootfs/apt-http knows it too. */
export const PACKAGES_MOUNT_POINT = '/run/envs/packages'

/** Folders that must be there, as folders, before a tree can be mounted; relative to its root. */
export const MOUNT_POINTS = ['dev', 'proc', 'sys', 'run/envs'] as const

/**
 * The file systems of the kernel.
 *
 * The host's devpts is left out, for with it a guest could open every terminal of the user.
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
 * Parts of /sys that are nobody's business in a guest: /sys/fs has the control groups, through which it could stop what of
 * the user's runs beside it.
 */
const MASKED_KERNEL_FOLDERS = ['/sys/fs', '/sys/firmware', '/sys/kernel/security']

/** Parts of /proc that change the machine and obey uid 0 as such, whatever namespace it is in; those Docker guards too. */
const ROOTS_KERNEL_FILES = [
  ...['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus'],
  ...['/proc/fs', '/proc/acpi', '/proc/scsi'],
]

function readOnly(path: string): Mount {
  return {kind: 'bind', from: path, at: path, access: 'ro', ifMissing: 'skip'}
}
