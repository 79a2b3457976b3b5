import type {DebArchitecture} from './architecture.js'

/** Numbers that the programs of templates/host can't know by themselves. */
export type SystemCalls = {
  readonly prctl: number
  readonly setns: number
  readonly unshare: number
  readonly fsetxattr: number
}

/** @see Linux arch/<ARCH>/entry/syscalls/syscall.tbl; arm64, riscv64 and loongarch64: asm-generic/unistd.h */
const NUMBERS: Readonly<Record<DebArchitecture, readonly [number, number, number, number]>> = {
  amd64: [157, 308, 272, 190],
  arm64: [167, 268, 97, 7],
  armhf: [172, 375, 337, 228],
  i386: [172, 346, 310, 228],
  loong64: [167, 268, 97, 7],
  ppc64el: [171, 350, 282, 211],
  riscv64: [167, 268, 97, 7],
  s390x: [172, 339, 303, 226],
}

export function systemCalls(architecture: DebArchitecture): SystemCalls {
  const [prctl, setns, unshare, fsetxattr] = NUMBERS[architecture]
  return {prctl, setns, unshare, fsetxattr}
}
