import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {type DebArchitecture, ioctlKind, systemCalls} from '../../host/machine/arch.js'
import {bootId} from '../../host/machine/proc.js'
import type {Identity} from '../identity.js'
import {groupName} from '../limits/groups.js'
import type {PlannedLimits} from '../limits/in-force.js'
import {MASKED_KERNEL_FOLDERS, type Mount} from '../mounts.js'
import {buildFilter} from '../seccomp/filter.js'
import type {GuestNamespace} from '../second-namespace.js'
import {type BootEntry, runEntries} from './boot-files.js'
import type {GuestCgroups} from './cgroups.js'

/** A guest whose own systemd is pid 1; see templates/host/boot.pl. */
export type BootSpec = {
  readonly cgroups: GuestCgroups
  /** The entries of the guest's /run. */
  readonly entries: readonly BootEntry[]
  /** Folder of the run-time state on the host. */
  readonly runFolder: string
  /** `again`: the keeper starts the guest when it reboots; `exit`: the keeper ends with status 133. */
  readonly restarts: 'again' | 'exit'
}

/** Returns the boot of an environment. */
export async function planBoot(
  cgroups: GuestCgroups,
  {identity, ...place}: Pick<BootSpec, 'runFolder' | 'restarts'> & {readonly identity: Identity},
): Promise<BootSpec> {
  return {...place, cgroups, entries: await runEntries({identity, cgroups: cgroups.kind})}
}

/** How the keeper names the kind of the groups. */
function placeOf(cgroups: GuestCgroups): string {
  return cgroups.kind === 'real' && cgroups.scope.length > 0 ? 'scope' : cgroups.kind
}

/** Words of the keeper: where the guest's control groups are, and the name of their folder there. */
function groupWords({cgroups, runFolder}: BootSpec): string[] {
  if (cgroups.kind === 'make-believe') return [CGROUPS, cgroups.name]
  return [cgroups.mount, groupName(runFolder)]
}

/** Returns the argv prefix of templates/host/boot.pl. @param launcher - Argv prefix of that program. */
export function keeperWords(
  launcher: readonly string[],
  boot: BootSpec,
  {
    architecture,
    guestNamespace,
    limits,
  }: {
    readonly architecture: DebArchitecture
    readonly guestNamespace: GuestNamespace
    readonly limits: PlannedLimits | undefined
  },
): string[] {
  const {prctl, prlimit64, unshare, setns, umount2} = systemCalls(architecture)
  const state = {
    ...{schemaVersion: 1, pid: 'PID', startTime: 'START', bootId: bootId()},
    ...{engine: 'unshare', guestNamespace, init: 'systemd'},
    ...(limits === undefined ? {} : {limits: {values: limits.values, enforced: limits.enforced}}),
  }
  return [
    ...[...launcher, [prctl, prlimit64, unshare, setns, umount2, ioctlKind(architecture)].join(',')],
    ...[
      boot.runFolder,
      boot.restarts,
      JSON.stringify(state),
      placeOf(boot.cgroups),
      ...groupWords(boot),
      '--',
    ],
  ]
}

const CGROUPS = '/sys/fs/cgroup'

/** Returns the words of templates/host/anchor.pl for a first process with a keeper. */
export function keeperNeeds(groups: GuestCgroups['kind'], architecture: DebArchitecture): string[] {
  if (groups === 'real') return ['keeper', 'own-cgroups']
  const filter = buildFilter(architecture, ['notifications']).toString('hex')
  return ['keeper', 'ask-keeper', String(systemCalls(architecture).seccomp), filter]
}

/** Returns the words of templates/host/anchor.pl for the file systems of the kernel and /run; boot.pl adds the console. */
export function bootWords(boot: BootSpec, mountWords: (mount: Mount) => string[]): string[] {
  const {cgroups, runFolder} = boot
  return [
    ...mountWords({kind: 'bind', from: '/sys', at: '/sys', access: 'ro'}),
    ...MASKED_KERNEL_FOLDERS.filter((path) => existsSync(path)).flatMap((at) =>
      mountWords({kind: at === '/sys/fs' ? 'tmpfs' : 'empty', at}),
    ),
    ...['folder', CGROUPS, '0755'],
    ...cgroupWords(boot, mountWords),
    'fork',
    ...mountWords({kind: 'dev', at: '/dev'}),
    ...mountWords({kind: 'tmpfs', at: '/dev/shm'}),
    ...['folder', '/dev/shm', '1777'],
    ...mountWords({kind: 'mqueue', at: '/dev/mqueue'}),
    ...['file', '/dev/console', '0600', ''],
    ...mountWords({kind: 'proc', at: '/proc'}),
    // Services with mounts of their own see what the keeper mounts there later.
    ...['share', '/proc'],
    ...(cgroups.kind === 'real' ? [] : ownGroupWords(runFolder, mountWords)),
    ...mountWords({kind: 'tmpfs', at: '/run'}),
    // Ubuntu's systemd mounts one there, and ends when it may not.
    ...['folder', '/run/lock', '0755'],
    ...mountWords({kind: 'tmpfs', at: '/run/lock'}),
    ...['folder', '/run/lock', '1777'],
    ...boot.entries.flatMap(entryWords),
    ...mountWords({kind: 'bind', from: join(runFolder, 'notify'), at: '/run/host/notify', access: 'rw'}),
  ]
}

function cgroupWords(boot: BootSpec, mountWords: (mount: Mount) => string[]): string[] {
  const {cgroups} = boot
  if (cgroups.kind === 'real')
    // The keeper replaces it by the folder that it has made.
    return mountWords({kind: 'bind', from: 'keeper-group', at: CGROUPS, access: 'rw'})
  return [
    // Read-only: the user may own other groups there.
    ...mountWords({kind: 'bind', from: cgroups.top, at: CGROUPS, access: 'ro'}),
    ...['fuse', `${CGROUPS}/${cgroups.name}`],
  ]
}

/** A file of boot.pl says that pid 1 is in the make-believe hierarchy: the kernel says where it really is. */
function ownGroupWords(runFolder: string, mountWords: (mount: Mount) => string[]): string[] {
  return mountWords({kind: 'bind', from: join(runFolder, 'group'), at: '/proc/1/cgroup', access: 'ro'})
}

function entryWords(entry: BootEntry): string[] {
  switch (entry.kind) {
    case 'folder':
      return [entry.kind, entry.at, entry.mode]
    case 'file':
      return [entry.kind, entry.at, entry.mode, entry.text]
    case 'link':
      return [entry.kind, entry.at, entry.target]
  }
}
