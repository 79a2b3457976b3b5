import type {DebArchitecture} from './architecture.js'

/** Numbers that the programs of templates/host can't know by themselves. */
export type SystemCalls = {
  readonly prctl: number
  readonly setns: number
  readonly unshare: number
  readonly fsetxattr: number
  readonly lgetxattr: number
  readonly statx: number
  readonly utimensat: number
  readonly mount: number
  readonly umount2: number
  readonly pivotRoot: number
  readonly sethostname: number
  readonly setsid: number
  readonly prlimit64: number
  readonly wait4: number
}

// biome-ignore format: one for each call
type Row = readonly [number, number, number, number, number, number, number, number, number, number, number, number, number, number]

/** @see Linux arch/<ARCH>/entry/syscalls/syscall.tbl; arm64, riscv64 and loongarch64: asm-generic/unistd.h */
// biome-ignore format: a line for each processor
const NUMBERS: Readonly<Record<DebArchitecture, Row>> = {
  amd64: [157, 308, 272, 190, 192, 332, 280, 165, 166, 155, 170, 112, 302, 61],
  arm64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260],
  armhf: [172, 375, 337, 228, 230, 397, 348, 21, 52, 218, 74, 66, 369, 114],
  i386: [172, 346, 310, 228, 230, 383, 320, 21, 52, 217, 74, 66, 340, 114],
  loong64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260],
  ppc64el: [171, 350, 282, 211, 213, 383, 304, 21, 52, 203, 74, 66, 325, 114],
  riscv64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260],
  s390x: [172, 339, 303, 226, 228, 379, 315, 21, 52, 217, 74, 66, 334, 114],
}

export function systemCalls(architecture: DebArchitecture): SystemCalls {
  const [prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat, ...mounting] = NUMBERS[architecture]
  const [mount, umount2, pivotRoot, sethostname, setsid, prlimit64, wait4] = mounting
  return {
    ...{prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat},
    ...{mount, umount2, pivotRoot, sethostname, setsid, prlimit64, wait4},
  }
}

/** Whose numbers ioctl(2) has on a processor: those of asm-generic/ioctls.h, or POWER's own. */
export function ioctlKind(architecture: DebArchitecture): 'generic' | 'power' {
  return architecture === 'ppc64el' ? 'power' : 'generic'
}
