import type {DebArchitecture} from '../../host/architecture.js'
import type {ByteOrder} from './bpf.js'

/** What the kernel tells a filter of the way a system call was made. @see linux/audit.h, AUDIT_ARCH_* */
const AUDIT_ARCH: Readonly<Record<DebArchitecture, number>> = {
  amd64: 0xc000003e,
  arm64: 0xc00000b7,
  armhf: 0x40000028,
  i386: 0x40000003,
  loong64: 0xc0000102,
  ppc64el: 0xc0000015,
  riscv64: 0xc00000f3,
  s390x: 0x80000016,
}

/** Architectures whose programs one kernel runs side by side; a 32-bit Node may sit on a 64-bit kernel. */
const KIN: readonly (readonly DebArchitecture[])[] = [
  ['amd64', 'i386'],
  ['arm64', 'armhf'],
]

/** Byte offsets in what a filter sees. @see linux/seccomp.h, struct seccomp_data */
export const NUMBER_OFFSET = 0
export const ARCHITECTURE_OFFSET = 4
const ARGUMENTS_OFFSET = 16
const ARGUMENT_BYTES = 8

/** Bit that marks a call of the x32 ABI, which shares amd64's AUDIT_ARCH. @see asm/unistd.h */
export const X32_SYSCALL_BIT = 0x40000000

export function auditArchitecture(architecture: DebArchitecture): number {
  return AUDIT_ARCH[architecture]
}

/** The architecture and those whose programs run beside its own. */
export function kindred(architecture: DebArchitecture): readonly DebArchitecture[] {
  return KIN.find((family) => family.includes(architecture)) ?? [architecture]
}

export function byteOrder(architecture: DebArchitecture): ByteOrder {
  return architecture === 's390x' ? 'big' : 'little'
}

/** Offset of the low half of argument `index`: all the kernel reads of a 32-bit argument. */
export function argumentOffset(index: number, order: ByteOrder): number {
  return ARGUMENTS_OFFSET + index * ARGUMENT_BYTES + (order === 'big' ? 4 : 0)
}
