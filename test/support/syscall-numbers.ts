import type {DebArchitecture} from '../../src/host/machine/arch.js'

/** What the tests know of an architecture without asking the program. */
export type Abi = {
  /** AUDIT_ARCH_* of linux/audit.h */
  readonly audit: number
  readonly isLittleEndian: boolean
  /** All the numbers a set may touch, from the tables below arch/ in the Linux source (syscall*.tbl). */
  readonly chown: readonly number[]
  readonly setIds: readonly number[]
  readonly sync: readonly number[]
  /** statx, openat2, faccessat2, fchmodat2, name_to_handle_at, execveat, io_uring_setup */
  readonly untraced: readonly number[]
  readonly mknod?: number
  readonly mknodat: number
  readonly ioctl: number
  readonly fchownat: number
  readonly keyctl: number
  readonly prctl: number
  readonly setgroups: number
  readonly fsync: number
  readonly getpid: number
  readonly socket: number
  readonly socketpair: number
  readonly socketcall?: number
  /** io_uring_setup */
  readonly ioUring: number
  /** Of mounts, of setns, of other processes and of personality: what the set closed refuses. */
  readonly closed: readonly number[]
  /** clock_settime, bpf, reboot, add_key, perf_event_open: a sample of what no environment needs. */
  readonly hardened: readonly number[]
  /** getpid, clone, ptrace, personality, mount, unshare, io_uring_setup, openat: what must go through. */
  readonly untouched: readonly number[]
}

const GENERIC: Omit<Abi, 'audit'> = {
  isLittleEndian: true,
  chown: [54, 55],
  setIds: [91, 143, 144, 145, 146, 147, 149, 151, 152, 159],
  sync: [81, 82, 83, 84, 227, 267],
  untraced: [291, 437, 439, 452, 264, 281, 425],
  mknodat: 33,
  ioctl: 29,
  fchownat: 54,
  keyctl: 219,
  prctl: 167,
  setgroups: 159,
  fsync: 82,
  getpid: 172,
  socket: 198,
  socketpair: 199,
  ioUring: 425,
  closed: [39, 40, 41, 92, 117, 268, 270, 271, 428, 429, 430, 431, 432, 433, 442, 467],
  hardened: [112, 280, 142, 217, 241],
  untouched: [172, 220, 117, 92, 40, 97, 425, 56],
}

export const ABI: Readonly<Record<DebArchitecture, Abi>> = {
  amd64: {
    audit: 0xc000003e,
    isLittleEndian: true,
    chown: [92, 93, 94, 260],
    setIds: [105, 106, 113, 114, 116, 117, 119, 122, 123, 126],
    sync: [26, 74, 75, 162, 277, 306],
    untraced: [332, 437, 439, 452, 303, 322, 425],
    mknod: 133,
    mknodat: 259,
    ioctl: 16,
    fchownat: 260,
    keyctl: 250,
    prctl: 157,
    setgroups: 116,
    fsync: 74,
    getpid: 39,
    socket: 41,
    socketpair: 53,
    ioUring: 425,
    closed: [101, 135, 155, 165, 166, 308, 310, 311, 428, 429, 430, 431, 432, 433, 442, 467],
    hardened: [227, 321, 169, 248, 298],
    untouched: [39, 56, 101, 135, 165, 272, 425, 257, 154],
  },
  i386: {
    audit: 0x40000003,
    isLittleEndian: true,
    chown: [16, 95, 182, 198, 207, 212, 298],
    setIds: [23, 46, 70, 71, 81, 138, 139, 164, 170, 185, 203, 204, 206, 208, 210, 213, 214, 215, 216],
    sync: [36, 118, 144, 148, 314, 344],
    untraced: [383, 437, 439, 452, 341, 358, 425],
    mknod: 14,
    mknodat: 297,
    ioctl: 54,
    fchownat: 298,
    keyctl: 288,
    prctl: 172,
    setgroups: 81,
    fsync: 118,
    getpid: 20,
    socket: 359,
    socketpair: 360,
    socketcall: 102,
    ioUring: 425,
    closed: [21, 22, 26, 52, 136, 217, 346, 347, 348, 428, 429, 430, 431, 432, 433, 442, 467],
    hardened: [264, 404, 357, 88, 286, 336],
    untouched: [20, 120, 26, 136, 21, 310, 425, 295, 123],
  },
  arm64: {...GENERIC, audit: 0xc00000b7},
  riscv64: {...GENERIC, audit: 0xc00000f3},
  loong64: {...GENERIC, audit: 0xc0000102},
  armhf: {
    audit: 0x40000028,
    isLittleEndian: true,
    chown: [16, 95, 182, 198, 207, 212, 325],
    setIds: [23, 46, 70, 71, 81, 138, 139, 164, 170, 185, 203, 204, 206, 208, 210, 213, 214, 215, 216],
    sync: [36, 118, 144, 148, 341, 373],
    untraced: [397, 437, 439, 452, 370, 387, 425],
    mknod: 14,
    mknodat: 324,
    ioctl: 54,
    fchownat: 325,
    keyctl: 311,
    prctl: 172,
    setgroups: 81,
    fsync: 118,
    getpid: 20,
    socket: 281,
    socketpair: 288,
    ioUring: 425,
    closed: [21, 26, 52, 136, 218, 375, 376, 377, 428, 429, 430, 431, 432, 433, 442, 467],
    hardened: [262, 404, 386, 88, 309, 364],
    untouched: [20, 120, 26, 136, 21, 337, 425, 322],
  },
  ppc64el: {
    audit: 0xc0000015,
    isLittleEndian: true,
    chown: [16, 95, 181, 289],
    setIds: [23, 46, 70, 71, 81, 138, 139, 164, 169, 184],
    sync: [36, 118, 144, 148, 308, 348],
    untraced: [383, 437, 439, 452, 345, 362, 425],
    mknod: 14,
    mknodat: 288,
    ioctl: 54,
    fchownat: 289,
    keyctl: 271,
    prctl: 171,
    setgroups: 81,
    fsync: 118,
    getpid: 20,
    socket: 326,
    socketpair: 333,
    socketcall: 102,
    ioUring: 425,
    closed: [21, 22, 26, 52, 136, 203, 350, 351, 352, 428, 429, 430, 431, 432, 433, 442, 467],
    hardened: [245, 361, 88, 269, 319],
    untouched: [20, 120, 26, 136, 21, 282, 425, 286],
  },
  s390x: {
    audit: 0x80000016,
    isLittleEndian: false,
    chown: [198, 207, 212, 291],
    setIds: [185, 203, 204, 206, 208, 210, 213, 214, 215, 216],
    sync: [36, 118, 144, 148, 307, 338],
    untraced: [379, 437, 439, 452, 335, 354, 425],
    mknod: 14,
    mknodat: 290,
    ioctl: 54,
    fchownat: 291,
    keyctl: 280,
    prctl: 172,
    setgroups: 206,
    fsync: 118,
    getpid: 20,
    socket: 359,
    socketpair: 360,
    socketcall: 102,
    ioUring: 425,
    closed: [21, 22, 26, 52, 136, 217, 339, 340, 341, 428, 429, 430, 431, 432, 433, 442, 467],
    hardened: [259, 351, 88, 278, 331],
    untouched: [20, 120, 26, 136, 21, 303, 425, 288],
  },
}

export const ARCHITECTURES = Object.keys(ABI) as DebArchitecture[]
