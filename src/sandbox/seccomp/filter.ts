import type {DebArchitecture} from '../../host/machine/arch.js'
import {type FilterSet, type Rule, rulesOf} from './rules.js'
import {syscallNumber} from './syscalls.js'

/**
 * Returns a seccomp filter for programs of `architecture` and of its 32-bit or 64-bit sibling.
 *
 * The filter allows calls of other architectures: it emulates root for an unprivileged process, and the boundary to the host is
 * the user id. It never kills.
 *
 * @returns `struct sock_filter` entries in the byte order of `architecture`.
 * @see seccomp(2)
 */
export function buildFilter(architecture: DebArchitecture, sets: readonly FilterSet[]): Buffer {
  const order = byteOrder(architecture)
  const rules = sets.flatMap(rulesOf)
  const sections = siblings(architecture).flatMap((each) =>
    whenEqual(auditArchitecture(each), sectionFor(each, rules, order)),
  )
  return encodeProgram([loadWord(ARCHITECTURE_OFFSET), ...sections, ALLOW], order)
}

function sectionFor(architecture: DebArchitecture, rules: readonly Rule[], order: ByteOrder): Instruction[] {
  return [
    loadWord(NUMBER_OFFSET),
    ...(architecture === 'amd64' ? refuseX32() : []),
    ...rules.flatMap((rule) => {
      const number = syscallNumber(rule.syscall, architecture)
      return number === undefined ? [] : whenEqual(number, answer(rule, order))
    }),
    ALLOW,
  ]
}

/** Refuses the x32 ABI, which has its own numbers: with it a program could avoid every rule. */
function refuseX32(): Instruction[] {
  return [...whenEqual(CANCELLED, [ALLOW]), ...whenAtLeast(X32_SYSCALL_BIT, [UNKNOWN_CALL])]
}

function answer(rule: Rule, order: ByteOrder): Instruction[] {
  switch (rule.kind) {
    case 'succeed':
      return [SUCCEED]
    case 'refuse':
      return [REFUSE]
    case 'unknown':
      return [UNKNOWN_CALL]
    case 'fake-device':
      return fakeDevice(rule, order)
    case 'guard-terminal':
      return [
        loadWord(argumentOffset(rule.requestArgument, order)),
        ...whenEqual(TIOCSTI, [REFUSE]),
        ...whenEqual(TIOCLINUX, [REFUSE]),
        ALLOW,
      ]
    case 'only-families':
      return [
        loadWord(argumentOffset(rule.familyArgument, order)),
        ...rule.families.flatMap((family) => whenEqual(family, [ALLOW])),
        NO_SUCH_FAMILY,
      ]
    case 'ask':
      return [
        loadWord(argumentOffset(rule.flagsArgument, order)),
        ...rule.flags.flatMap((value) => whenEqual(value, [ASK])),
        ALLOW,
      ]
  }
}

/**
 * Pretends to make block and character devices. FIFOs, sockets and files are made, and so is the character device 0:0, the whiteout
 * of overlayfs: any user may make one since Linux 5.8, and a container tool in the guest would lose deletions without it.
 */
function fakeDevice(rule: Extract<Rule, {kind: 'fake-device'}>, order: ByteOrder): Instruction[] {
  const device = loadWord(argumentOffset(rule.deviceArgument, order))
  return [
    loadWord(argumentOffset(rule.modeArgument, order)),
    maskWord(S_IFMT),
    ...whenEqual(S_IFBLK, [SUCCEED]),
    ...whenEqual(S_IFCHR, [device, ...whenEqual(0, [ALLOW]), SUCCEED]),
    ALLOW,
  ]
}

/** One instruction of a classic BPF program. @see linux/filter.h, struct sock_filter */
export type Instruction = {
  readonly code: number
  /** Instructions to skip when the comparison holds, and when it doesn't; one byte each. */
  readonly jt: number
  readonly jf: number
  readonly k: number
}

export type ByteOrder = 'little' | 'big'

/** A block of instructions of which every path ends in a return, so that nothing falls out of its end. */
export type Block = readonly Instruction[]

// linux/bpf_common.h
const BPF_LD = 0x00
const BPF_ALU = 0x04
const BPF_JMP = 0x05
const BPF_RET = 0x06
const BPF_W = 0x00
const BPF_ABS = 0x20
const BPF_AND = 0x50
const BPF_JA = 0x00
const BPF_JEQ = 0x10
const BPF_JGE = 0x30
const BPF_K = 0x00

/** Most instructions the kernel takes. @see linux/bpf_common.h */
const BPF_MAXINSNS = 4096

const INSTRUCTION_BYTES = 8
const FARTHEST_CONDITIONAL_JUMP = 255

/** Loads A with the 32-bit word at `offsetBytes` of the data, in the machine's byte order. */
export function loadWord(offsetBytes: number): Instruction {
  return statement(BPF_LD | BPF_W | BPF_ABS, offsetBytes)
}

/** Sets A to A & mask. */
export function maskWord(mask: number): Instruction {
  return statement(BPF_ALU | BPF_AND | BPF_K, mask)
}

/** Ends the program with an action of linux/seccomp.h. */
export function returnValue(value: number): Instruction {
  return statement(BPF_RET | BPF_K, value)
}

/** Runs `block` when A equals `value`, else continues after it; A is unchanged. */
export function whenEqual(value: number, block: Block): Instruction[] {
  return guarded(BPF_JEQ, value, block)
}

/** Runs `block` when A, unsigned, is at least `value`, else continues after it; A is unchanged. */
export function whenAtLeast(value: number, block: Block): Instruction[] {
  return guarded(BPF_JGE, value, block)
}

/**
 * Encodes the program for the kernel.
 *
 * @throws {RangeError} When the program is empty or longer than the kernel takes.
 * @see seccomp(2): `struct sock_fprog` points at these bytes.
 */
export function encodeProgram(program: readonly Instruction[], order: ByteOrder): Buffer {
  if (program.length === 0 || program.length > BPF_MAXINSNS) {
    throw new RangeError(
      `a BPF program of ${program.length} instructions: the kernel takes 1 to ${BPF_MAXINSNS}`,
    )
  }
  const bytes = new DataView(new ArrayBuffer(program.length * INSTRUCTION_BYTES))
  for (const [index, {code, jt, jf, k}] of program.entries()) {
    const at = index * INSTRUCTION_BYTES
    bytes.setUint16(at, code, order === 'little')
    bytes.setUint8(at + 2, jt)
    bytes.setUint8(at + 3, jf)
    bytes.setUint32(at + 4, k, order === 'little')
  }
  return Buffer.from(bytes.buffer)
}

/** Skips a block unless the comparison holds. A conditional jump reaches 255 instructions, an unconditional one the whole program. */
function guarded(comparison: number, value: number, block: Block): Instruction[] {
  const code = BPF_JMP | comparison | BPF_K
  if (block.length <= FARTHEST_CONDITIONAL_JUMP) return [{code, jt: 0, jf: block.length, k: value}, ...block]
  return [{code, jt: 1, jf: 0, k: value}, statement(BPF_JMP | BPF_JA, block.length), ...block]
}

function statement(code: number, k: number): Instruction {
  return {code, jt: 0, jf: 0, k}
}

// linux/seccomp.h
const SECCOMP_RET_ALLOW = 0x7fff0000
const SECCOMP_RET_ERRNO = 0x00050000
const SECCOMP_RET_USER_NOTIF = 0x7fc00000

// asm-generic/errno-base.h, asm-generic/errno.h
const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97

// linux/stat.h
const S_IFMT = 0o170000
const S_IFCHR = 0o020000
const S_IFBLK = 0o060000

// asm-generic/ioctls.h; the same on every architecture of DebArchitecture
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

/** The number of a call that a tracer has cancelled: the tracer sets its result. @see ptrace(2) */
const CANCELLED = 0xffffffff

const ALLOW = returnValue(SECCOMP_RET_ALLOW)
const SUCCEED = returnValue(SECCOMP_RET_ERRNO)
const REFUSE = returnValue(SECCOMP_RET_ERRNO | EPERM)
const ASK = returnValue(SECCOMP_RET_USER_NOTIF)
const UNKNOWN_CALL = returnValue(SECCOMP_RET_ERRNO | ENOSYS)
const NO_SUCH_FAMILY = returnValue(SECCOMP_RET_ERRNO | EAFNOSUPPORT)

/** The kernel's number for the calling convention of a system call. @see linux/audit.h, AUDIT_ARCH_* */
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

/** Architectures whose programs run on one kernel; a 32-bit Node may run on a 64-bit kernel. */
const SIBLINGS: readonly (readonly DebArchitecture[])[] = [
  ['amd64', 'i386'],
  ['arm64', 'armhf'],
]

/** Byte offsets in the data of a filter. @see linux/seccomp.h, struct seccomp_data */
export const NUMBER_OFFSET = 0
const ARCHITECTURE_OFFSET = 4
const ARGUMENTS_OFFSET = 16
const ARGUMENT_BYTES = 8

/** Bit that marks a call of the x32 ABI, which shares amd64's AUDIT_ARCH. @see asm/unistd.h */
const X32_SYSCALL_BIT = 0x40000000

function auditArchitecture(architecture: DebArchitecture): number {
  return AUDIT_ARCH[architecture]
}

/** Returns the architectures whose programs run on the kernel of this one. */
function siblings(architecture: DebArchitecture): readonly DebArchitecture[] {
  return SIBLINGS.find((family) => family.includes(architecture)) ?? [architecture]
}

/** Returns the byte order of an architecture: only s390x is big-endian. */
export function byteOrder(architecture: DebArchitecture): ByteOrder {
  return architecture === 's390x' ? 'big' : 'little'
}

/** Returns the offset of the low half of argument `index`: the kernel reads no more of a 32-bit argument. */
function argumentOffset(index: number, order: ByteOrder): number {
  return ARGUMENTS_OFFSET + index * ARGUMENT_BYTES + (order === 'big' ? 4 : 0)
}
