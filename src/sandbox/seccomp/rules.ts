import type {Identity} from '../identity.js'
import type {Syscall} from './syscalls.js'

/**
 * A set of rules that a filter may contain:
 * - `chown`: changes of owner succeed without effect; with a single id there is no other owner.
 * - `set-ids`: changes of a process's ids, groups and capabilities succeed without effect.
 * - `devices`: making a device node succeeds without effect; the kernel refuses it in a user namespace.
 * - `terminal`: refuses to insert input into a terminal (TIOCSTI, TIOCLINUX).
 * - `hardening`: refuses calls that reach the host's global state, or that no environment needs.
 * - `sync`: flushing to disk succeeds at once. A power cut loses data: for changes by APT, which envs syncs
 *   afterwards, and for throwaway environments.
 * - `reboot`: refuses reboot(2). An init may call it: in a pid namespace it ends pid 1, and tells the keeper why.
 * - `no-clone3`: clone3(2) is unknown, so that systemd starts processes without it: it can't put them into a make-believe group.
 * - `notifications`: recvmsg(2) as an init calls it for sd_notify(3) waits for the keeper, which shows it the sender's make-believe group.
 * - `untraced`: calls that are newer than a tracer fail with ENOSYS, so that programs fall back to calls that the tracer
 *   translates. The tracer would pass the others on with paths of the host.
 * - `no-io-uring`: io_uring is unknown, so that programs fall back.
 * - `few-families`: sockets of other families than Unix, IPv4, IPv6 and netlink do not exist.
 * - `no-socketcall`: the call by which 32-bit programs make sockets is unknown: its arguments are in memory, out of a filter's reach.
 * - `closed`: refuses calls to mount, to join namespaces, to trace processes and to change a process's personality.
 */
export type FilterSet =
  | 'chown'
  | 'set-ids'
  | 'devices'
  | 'terminal'
  | 'hardening'
  | 'sync'
  | 'reboot'
  | 'no-clone3'
  | 'notifications'
  | 'untraced'
  | 'no-io-uring'
  | 'few-families'
  | 'no-socketcall'
  | 'closed'

export type Rule =
  | {readonly kind: 'succeed' | 'refuse' | 'unknown'; readonly syscall: Syscall}
  | {
      readonly kind: 'fake-device'
      readonly syscall: Syscall
      /** Positions among the call's arguments, from 0. */
      readonly modeArgument: number
      readonly deviceArgument: number
    }
  | {readonly kind: 'guard-terminal'; readonly syscall: Syscall; readonly requestArgument: number}
  | {
      readonly kind: 'only-families'
      readonly syscall: Syscall
      readonly familyArgument: number
      readonly families: readonly number[]
    }
  | {
      readonly kind: 'ask'
      readonly syscall: Syscall
      readonly flagsArgument: number
      /** The values of that argument for which the call waits. */
      readonly flags: readonly number[]
    }

/**
 * Returns the filter sets for a session of this identity.
 *
 * @param options.elidesSyncs - Whether a power cut may lose all that the session writes.
 */
export function filterSets(
  identity: Identity,
  {elidesSyncs = false}: {readonly elidesSyncs?: boolean} = {},
): FilterSet[] {
  return [...setsOf(identity), ...(elidesSyncs ? (['sync'] as const) : [])]
}

function setsOf(identity: Identity): FilterSet[] {
  switch (identity) {
    case 'emulated':
      return ['chown', 'set-ids', 'devices', 'terminal', 'hardening', 'reboot']
    case 'mapped':
      return ['devices', 'terminal', 'hardening', 'reboot']
  }
}

/**
 * Returns the filter sets for an init and the services that it starts. Making a device fails: with a device that is missing after a
 * success, services with private devices would end.
 */
export function initFilterSets(identity: Identity, cgroups: 'real' | 'make-believe'): FilterSet[] {
  const sets = setsOf(identity).filter((set) => set !== 'devices' && set !== 'reboot')
  return cgroups === 'real' ? sets : [...sets, 'no-clone3']
}

/** Returns the rules of a filter set. */
export function rulesOf(set: FilterSet): Rule[] {
  switch (set) {
    case 'chown':
      return CHOWN.map((syscall) => ({kind: 'succeed', syscall}))
    case 'set-ids':
      return SET_IDS.map((syscall) => ({kind: 'succeed', syscall}))
    case 'devices':
      return [
        {kind: 'fake-device', syscall: 'mknod', modeArgument: 1, deviceArgument: 2},
        {kind: 'fake-device', syscall: 'mknodat', modeArgument: 2, deviceArgument: 3},
      ]
    case 'terminal':
      return [{kind: 'guard-terminal', syscall: 'ioctl', requestArgument: 1}]
    case 'hardening':
      return HARDENING.map((syscall) => ({kind: 'refuse', syscall}))
    case 'sync':
      return SYNC.map((syscall) => ({kind: 'succeed', syscall}))
    case 'reboot':
      return [{kind: 'refuse', syscall: 'reboot'}]
    case 'no-clone3':
      return [{kind: 'unknown', syscall: 'clone3'}]
    case 'notifications':
      return [{kind: 'ask', syscall: 'recvmsg', flagsArgument: 2, flags: NOTIFICATION_FLAGS}]
    case 'untraced':
      return UNTRACED.map((syscall) => ({kind: 'unknown', syscall}))
    case 'no-io-uring':
      return [{kind: 'unknown', syscall: 'io_uring_setup'}]
    case 'few-families':
      return (['socket', 'socketpair'] as const).map((syscall) => ({
        kind: 'only-families',
        syscall,
        familyArgument: 0,
        families: USUAL_FAMILIES,
      }))
    case 'no-socketcall':
      return [{kind: 'unknown', syscall: 'socketcall'}]
    case 'closed':
      return CLOSED.map((syscall) => ({kind: 'refuse', syscall}))
  }
}

// biome-ignore format: the 16-bit calls, then their 32-bit successors of i386 and armhf
const CHOWN: readonly Syscall[] = [
  'chown', 'lchown', 'fchown', 'fchownat',
  'chown32', 'lchown32', 'fchown32',
]

// biome-ignore format: the 16-bit calls, then their 32-bit successors of i386 and armhf
const SET_IDS: readonly Syscall[] = [
  'setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setgroups', 'setfsuid', 'setfsgid', 'capset',
  'setuid32', 'setgid32', 'setreuid32', 'setregid32', 'setresuid32', 'setresgid32', 'setgroups32',
  'setfsuid32', 'setfsgid32',
]

// biome-ignore format: one line holds them
const SYNC: readonly Syscall[] = ['fsync', 'fdatasync', 'sync', 'syncfs', 'msync', 'sync_file_range', 'sync_file_range2']

/**
 * Calls that proot 5.1 of 2015, the version of Debian and Ubuntu, does not translate. Not clone3: programs that fall back on
 * clone crash in proot.
 */
// biome-ignore format: a line for each kind
const UNTRACED: readonly Syscall[] = [
  /* paths */ 'statx', 'openat2', 'faccessat2', 'fchmodat2', 'name_to_handle_at', 'execveat',
  /* calls that it can't trace */ 'io_uring_setup',
]

/** Of MSG_TRUNC, MSG_DONTWAIT and MSG_CMSG_CLOEXEC: systemd sets all three, since version 257 the last two. */
const NOTIFICATION_FLAGS: readonly number[] = [0x40000060, 0x40000040]

/** The filter sets of a session under proot, which emulates ids and owners itself. */
export const PROOT_SETS: readonly FilterSet[] = ['devices', 'terminal', 'hardening', 'reboot', 'untraced']

/**
 * Refused calls. Allowed on purpose: ptrace and personality (debuggers), io_uring (servers, build tools), clone, unshare
 * and mount (sandboxes inside the environment), modify_ldt (Wine).
 */
// biome-ignore format: a line for each thing they reach
const HARDENING: readonly Syscall[] = [
  /* keyrings */ 'add_key', 'keyctl', 'request_key',
  /* the kernel */ 'delete_module', 'finit_module', 'init_module', 'kexec_file_load', 'kexec_load', 'syslog',
  /* its probes */ 'bpf', 'kcmp', 'lookup_dcookie', 'perf_event_open', 'userfaultfd',
  /* the clock */ 'adjtimex', 'clock_adjtime', 'clock_adjtime64', 'clock_settime', 'clock_settime64', 'settimeofday', 'stime',
  /* file systems */ 'acct', 'fanotify_init', 'open_by_handle_at', 'quotactl', 'quotactl_fd', 'swapoff', 'swapon', 'uselib',
  /* memory nodes */ 'migrate_pages', 'move_pages',
  /* the terminal */ 'vhangup',
  /* hardware */ 'ioperm', 'iopl', 'vm86', 'vm86old',
  /* PCI */ 'pciconfig_iobase', 'pciconfig_read', 'pciconfig_write', 's390_pci_mmio_read', 's390_pci_mmio_write',
]

/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK. @see linux/socket.h */
const USUAL_FAMILIES = [1, 2, 10, 16]

// biome-ignore format: a line for each thing they reach
const CLOSED: readonly Syscall[] = [
  /* mounts */ 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'mount', 'mount_setattr', 'move_mount', 'open_tree', 'open_tree_attr', 'pivot_root',
  'umount', 'umount2',
  /* namespaces */ 'setns',
  /* other processes */ 'process_vm_readv', 'process_vm_writev', 'ptrace',
  /* the layout of memory */ 'personality',
]
