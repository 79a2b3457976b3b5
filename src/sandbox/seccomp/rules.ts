import type {Identity} from '../identity.js'
import type {Syscall} from './syscalls.js'

/**
 * What a filter may do, each set for itself:
 * - `chown`: changes of owner succeed without effect; a single id can't be given to another.
 * - `set-ids`: changes of the process's own ids, groups and capabilities succeed without effect.
 * - `devices`: making a device node succeeds without effect; a user namespace can't make any.
 * - `terminal`: nothing can be typed into a terminal on the user's behalf.
 * - `hardening`: calls that reach the host's global state, or that no environment needs, are refused.
 * - `sync`: flushing to disk succeeds at once. Loses data at a power cut: for APT's changes, which end
 *   with a sync of their own, and for throwaway work.
 * - `untraced`: calls that a tracer older than they are would let through with paths of the host are unknown, so that
 *   programs fall back on those it knows.
 */
export type FilterSet = 'chown' | 'set-ids' | 'devices' | 'terminal' | 'hardening' | 'sync' | 'untraced'

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

/**
 * The sets a session of this identity runs under.
 *
 * @param options.elidesSyncs - Whether all it writes may be lost at a power cut.
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
      return ['chown', 'set-ids', 'devices', 'terminal', 'hardening']
    case 'mapped':
      return ['devices', 'terminal', 'hardening']
  }
}

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
    case 'untraced':
      return UNTRACED.map((syscall) => ({kind: 'unknown', syscall}))
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

/** proot 5.1, of 2015, is what Debian and Ubuntu have. Not clone3: programs that fall back on clone crash in it. */
// biome-ignore format: a line for each way out
const UNTRACED: readonly Syscall[] = [
  /* paths */ 'statx', 'openat2', 'faccessat2', 'fchmodat2', 'name_to_handle_at', 'execveat',
  /* what it would not see */ 'io_uring_setup',
]

/** The sets of a session that proot runs; it makes ids and owners credible itself. */
export const PROOT_SETS: readonly FilterSet[] = ['devices', 'terminal', 'hardening', 'untraced']

/**
 * Left out on purpose: ptrace and personality (debuggers), io_uring (servers, build tools), clone, unshare
 * and mount (sandboxes inside the environment), modify_ldt (Wine).
 */
// biome-ignore format: a line for each thing they reach
const HARDENING: readonly Syscall[] = [
  /* keyrings */ 'add_key', 'keyctl', 'request_key',
  /* the kernel */ 'delete_module', 'finit_module', 'init_module', 'kexec_file_load', 'kexec_load', 'reboot', 'syslog',
  /* its probes */ 'bpf', 'kcmp', 'lookup_dcookie', 'perf_event_open', 'userfaultfd',
  /* the clock */ 'adjtimex', 'clock_adjtime', 'clock_adjtime64', 'clock_settime', 'clock_settime64', 'settimeofday', 'stime',
  /* file systems */ 'acct', 'fanotify_init', 'open_by_handle_at', 'quotactl', 'quotactl_fd', 'swapoff', 'swapon', 'uselib',
  /* memory nodes */ 'migrate_pages', 'move_pages',
  /* the terminal */ 'vhangup',
  /* hardware */ 'ioperm', 'iopl', 'vm86', 'vm86old',
  /* PCI */ 'pciconfig_iobase', 'pciconfig_read', 'pciconfig_write', 's390_pci_mmio_read', 's390_pci_mmio_write',
]
