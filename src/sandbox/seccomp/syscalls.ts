import type {DebArchitecture} from '../../host/machine/arch.js'

/** Marks a call that the architecture lacks. */
const __ = null

type Cell = number | null
type Row = readonly [Cell, Cell, Cell, Cell, Cell, Cell]

/** arm64, riscv64 and loong64 share the kernel's generic numbers (asm-generic/unistd.h). */
const COLUMN: Readonly<Record<DebArchitecture, 0 | 1 | 2 | 3 | 4 | 5>> = {
  amd64: 0,
  i386: 1,
  arm64: 2,
  riscv64: 2,
  loong64: 2,
  armhf: 3,
  ppc64el: 4,
  s390x: 5,
}

/**
 * Numbers of the calls the filters know, by the columns above.
 *
 * Taken from the headers of Linux 6.12 (asm/unistd.h of each architecture) and compared with libseccomp's
 * syscalls.csv. A number is never given to another call later, so the table can only grow.
 */
// biome-ignore format: a table reads by its columns
const NUMBERS = {
  chown: [92, 182, __, 182, 181, 212],
  lchown: [94, 16, __, 16, 16, 198],
  fchown: [93, 95, 55, 95, 95, 207],
  fchownat: [260, 298, 54, 325, 289, 291],
  chown32: [__, 212, __, 212, __, __],
  lchown32: [__, 198, __, 198, __, __],
  fchown32: [__, 207, __, 207, __, __],
  setuid: [105, 23, 146, 23, 23, 213],
  setgid: [106, 46, 144, 46, 46, 214],
  setreuid: [113, 70, 145, 70, 70, 203],
  setregid: [114, 71, 143, 71, 71, 204],
  setresuid: [117, 164, 147, 164, 164, 208],
  setresgid: [119, 170, 149, 170, 169, 210],
  setgroups: [116, 81, 159, 81, 81, 206],
  setfsuid: [122, 138, 151, 138, 138, 215],
  setfsgid: [123, 139, 152, 139, 139, 216],
  setuid32: [__, 213, __, 213, __, __],
  setgid32: [__, 214, __, 214, __, __],
  setreuid32: [__, 203, __, 203, __, __],
  setregid32: [__, 204, __, 204, __, __],
  setresuid32: [__, 208, __, 208, __, __],
  setresgid32: [__, 210, __, 210, __, __],
  setgroups32: [__, 206, __, 206, __, __],
  setfsuid32: [__, 215, __, 215, __, __],
  setfsgid32: [__, 216, __, 216, __, __],
  capset: [126, 185, 91, 185, 184, 185],
  mknod: [133, 14, __, 14, 14, 14],
  mknodat: [259, 297, 33, 324, 288, 290],
  ioctl: [16, 54, 29, 54, 54, 54],
  fsync: [74, 118, 82, 118, 118, 118],
  fdatasync: [75, 148, 83, 148, 148, 148],
  sync: [162, 36, 81, 36, 36, 36],
  syncfs: [306, 344, 267, 373, 348, 338],
  msync: [26, 144, 227, 144, 144, 144],
  sync_file_range: [277, 314, 84, __, __, 307],
  sync_file_range2: [__, __, __, 341, 308, __],
  acct: [163, 51, 89, 51, 51, 51],
  add_key: [248, 286, 217, 309, 269, 278],
  adjtimex: [159, 124, 171, 124, 124, 124],
  bpf: [321, 357, 280, 386, 361, 351],
  clock_adjtime: [305, 343, 266, 372, 347, 337],
  clock_adjtime64: [__, 405, __, 405, __, __],
  clock_settime: [227, 264, 112, 262, 245, 259],
  clock_settime64: [__, 404, __, 404, __, __],
  delete_module: [176, 129, 106, 129, 129, 129],
  fanotify_init: [300, 338, 262, 367, 323, 332],
  finit_module: [313, 350, 273, 379, 353, 344],
  init_module: [175, 128, 105, 128, 128, 128],
  ioperm: [173, 101, __, __, 101, __],
  iopl: [172, 110, __, __, 110, __],
  kcmp: [312, 349, 272, 378, 354, 343],
  kexec_file_load: [320, __, 294, 401, 382, 381],
  kexec_load: [246, 283, 104, 347, 268, 277],
  keyctl: [250, 288, 219, 311, 271, 280],
  lookup_dcookie: [212, 253, 18, 249, 235, 110],
  migrate_pages: [256, 294, 238, 400, 258, 287],
  move_pages: [279, 317, 239, 344, 301, 310],
  open_by_handle_at: [304, 342, 265, 371, 346, 336],
  pciconfig_iobase: [__, __, __, 271, 200, __],
  pciconfig_read: [__, __, __, 272, 198, __],
  pciconfig_write: [__, __, __, 273, 199, __],
  perf_event_open: [298, 336, 241, 364, 319, 331],
  quotactl: [179, 131, 60, 131, 131, 131],
  quotactl_fd: [443, 443, 443, 443, 443, 443],
  reboot: [169, 88, 142, 88, 88, 88],
  recvmsg: [47, 372, 212, 297, 342, 372],
  request_key: [249, 287, 218, 310, 270, 279],
  s390_pci_mmio_read: [__, __, __, __, __, 353],
  s390_pci_mmio_write: [__, __, __, __, __, 352],
  settimeofday: [164, 79, 170, 79, 79, 79],
  stime: [__, 25, __, __, 25, __],
  swapoff: [168, 115, 225, 115, 115, 115],
  swapon: [167, 87, 224, 87, 87, 87],
  syslog: [103, 103, 116, 103, 103, 103],
  uselib: [134, 86, __, 86, 86, 86],
  userfaultfd: [323, 374, 282, 388, 364, 355],
  vhangup: [153, 111, 58, 111, 111, 111],
  vm86: [__, 166, __, __, 113, __],
  vm86old: [__, 113, __, __, __, __],
  execveat: [322, 358, 281, 387, 362, 354],
  clone3: [435, 435, 435, 435, 435, 435],
  faccessat2: [439, 439, 439, 439, 439, 439],
  fchmodat2: [452, 452, 452, 452, 452, 452],
  io_uring_setup: [425, 425, 425, 425, 425, 425],
  name_to_handle_at: [303, 341, 264, 370, 345, 335],
  openat2: [437, 437, 437, 437, 437, 437],
  statx: [332, 383, 291, 397, 383, 379],
  fsconfig: [431, 431, 431, 431, 431, 431],
  fsmount: [432, 432, 432, 432, 432, 432],
  fsopen: [430, 430, 430, 430, 430, 430],
  fspick: [433, 433, 433, 433, 433, 433],
  mount: [165, 21, 40, 21, 21, 21],
  mount_setattr: [442, 442, 442, 442, 442, 442],
  move_mount: [429, 429, 429, 429, 429, 429],
  open_tree: [428, 428, 428, 428, 428, 428],
  open_tree_attr: [467, 467, 467, 467, 467, 467],
  personality: [135, 136, 92, 136, 136, 136],
  pivot_root: [155, 217, 41, 218, 203, 217],
  process_vm_readv: [310, 347, 270, 376, 351, 340],
  process_vm_writev: [311, 348, 271, 377, 352, 341],
  ptrace: [101, 26, 117, 26, 26, 26],
  setns: [308, 346, 268, 375, 350, 339],
  socket: [41, 359, 198, 281, 326, 359],
  socketcall: [__, 102, __, __, 102, 102],
  socketpair: [53, 360, 199, 288, 333, 360],
  umount: [__, 22, __, __, 22, 22],
  umount2: [166, 52, 39, 52, 52, 52],
} satisfies Record<string, Row>

export type Syscall = keyof typeof NUMBERS

/** Returns the number of a call; undefined when the architecture lacks it. */
export function syscallNumber(syscall: Syscall, architecture: DebArchitecture): number | undefined {
  return NUMBERS[syscall][COLUMN[architecture]] ?? undefined
}
