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
}

/** @see Linux arch/<ARCH>/entry/syscalls/syscall.tbl; arm64, riscv64 and loongarch64: asm-generic/unistd.h */
const NUMBERS: Readonly<
  Record<DebArchitecture, readonly [number, number, number, number, number, number, number]>
> = {
  amd64: [157, 308, 272, 190, 192, 332, 280],
  arm64: [167, 268, 97, 7, 9, 291, 88],
  armhf: [172, 375, 337, 228, 230, 397, 348],
  i386: [172, 346, 310, 228, 230, 383, 320],
  loong64: [167, 268, 97, 7, 9, 291, 88],
  ppc64el: [171, 350, 282, 211, 213, 383, 304],
  riscv64: [167, 268, 97, 7, 9, 291, 88],
  s390x: [172, 339, 303, 226, 228, 379, 315],
}

export function systemCalls(architecture: DebArchitecture): SystemCalls {
  const [prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat] = NUMBERS[architecture]
  return {prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat}
}
