import {existsSync} from 'node:fs'
import type {Identity} from '../identity.js'
import type {Mount} from '../mounts.js'
import type {FilterSet} from '../seccomp/rules.js'
import {CAPABILITIES, type Capability} from './capabilities.js'

/**
 * How much of the host and the kernel an environment may use:
 * - `trusted`: all that a guest's root can do without harm to others.
 * - `default`: without interfaces of the kernel that hardly any program uses.
 * - `isolated`: only that on which servers and build tools depend.
 */
export const PROFILES = ['trusted', 'default', 'isolated'] as const

export type Profile = (typeof PROFILES)[number]

/** The parts that an environment lacks, by its settings. */
export type Confinement = {
  readonly profile: Profile
  /** Whether the root file system is mounted read-only. */
  readonly isReadOnly: boolean
  readonly droppedCapabilities: readonly Capability[]
}

/** Of an environment that an earlier version of envs has started. */
export const NO_CONFINEMENT: Confinement = {profile: 'trusted', isReadOnly: false, droppedCapabilities: []}

/** The capabilities of the guest's root under `isolated`: those that packages, servers and logins use. */
const ISOLATED_CAPABILITIES: readonly Capability[] = [
  ...(['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'] as const),
  ...(['net_bind_service', 'sys_chroot', 'setfcap', 'audit_write'] as const),
]

/** Returns the capabilities that processes of the guest can have; undefined for all. */
export function keptCapabilities(
  {profile, droppedCapabilities}: Pick<Confinement, 'profile' | 'droppedCapabilities'>,
  alsoDropped: readonly Capability[] = [],
): readonly Capability[] | undefined {
  const dropped = new Set([...droppedCapabilities, ...alsoDropped])
  if (profile !== 'isolated' && dropped.size === 0) return undefined
  return (profile === 'isolated' ? ISOLATED_CAPABILITIES : CAPABILITIES).filter((each) => !dropped.has(each))
}

/** The processes of an isolated environment: a few servers, or a build. */
export const ISOLATED_PROCESSES = 512

/** One for each process that becomes another user in the emulated identity, and each sandbox of a browser. */
const MOST_USER_NAMESPACES = 4096

/**
 * Returns how many user namespaces an environment may have, with the guest's own. In the identity `emulated`, `su` and similar programs
 * make one for each process (decision 13).
 */
export function userNamespacesOf(profile: Profile, identity: Identity): number {
  return profile === 'isolated' && identity === 'mapped' ? 1 : MOST_USER_NAMESPACES
}

/**
 * Returns the filter sets that a profile adds to those of an identity.
 *
 * @param architecture - The dpkg name of the architecture of the guest's programs.
 */
export function setsOfProfile(profile: Profile, architecture: string): FilterSet[] {
  switch (profile) {
    case 'trusted':
      return []
    case 'default':
      return ['no-io-uring', 'few-families']
    case 'isolated':
      // Programs of i386 make their sockets by socketcall(2), whose arguments a filter can't read.
      return [
        'no-io-uring',
        'few-families',
        ...(architecture === 'i386' ? [] : (['no-socketcall'] as const)),
        'closed',
      ]
  }
}

/** Files of /proc about the whole host that programs of an environment do not need. */
export const MASKED_FILES: readonly string[] = [
  ...['keys', 'key-users', 'timer_list', 'kallsyms', 'config.gz', 'interrupts', 'softirqs', 'sched_debug'],
  ...['kpagecount', 'kpageflags', 'kpagecgroup', 'vmallocinfo', 'slabinfo', 'modules', 'iomem', 'ioports'],
  'sysrq-trigger',
].map((name) => `/proc/${name}`)

const MASKED_FOLDERS = ['acpi', 'bus', 'driver', 'fs', 'irq', 'scsi'].map((name) => `/proc/${name}`)

/** Returns the mounts of an isolated environment: without the host's /sys, and with parts of /proc covered. */
export function isolatedMounts(mounts: readonly Mount[]): Mount[] {
  return [
    ...mounts.filter(({at}) => !isBelow(at, '/sys') && !(isBelow(at, '/proc') && at !== '/proc')),
    ...MASKED_FILES.filter((path) => existsSync(path)).map(
      (at) => ({kind: 'bind', from: '/dev/null', at, access: 'ro'}) as const,
    ),
    ...MASKED_FOLDERS.filter((path) => existsSync(path)).map((at) => ({kind: 'empty', at}) as const),
    {kind: 'bind', from: '/proc/sys', at: '/proc/sys', access: 'ro'},
  ]
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
