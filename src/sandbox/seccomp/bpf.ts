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

/** A = the 32-bit word at `offsetBytes` of the data, in the machine's own byte order. */
export function loadWord(offsetBytes: number): Instruction {
  return statement(BPF_LD | BPF_W | BPF_ABS, offsetBytes)
}

/** A = A & mask. */
export function maskWord(mask: number): Instruction {
  return statement(BPF_ALU | BPF_AND | BPF_K, mask)
}

export function returnValue(value: number): Instruction {
  return statement(BPF_RET | BPF_K, value)
}

/** Runs `block` when A equals `value`, else goes on behind it; A is kept. */
export function whenEqual(value: number, block: Block): Instruction[] {
  return guarded(BPF_JEQ, value, block)
}

/** Runs `block` when A, unsigned, is at least `value`, else goes on behind it; A is kept. */
export function whenAtLeast(value: number, block: Block): Instruction[] {
  return guarded(BPF_JGE, value, block)
}

/**
 * The program as the kernel reads it.
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

/** A conditional jump reaches 255 instructions, an unconditional one the whole program. */
function guarded(comparison: number, value: number, block: Block): Instruction[] {
  const code = BPF_JMP | comparison | BPF_K
  if (block.length <= FARTHEST_CONDITIONAL_JUMP) return [{code, jt: 0, jf: block.length, k: value}, ...block]
  return [{code, jt: 1, jf: 0, k: value}, statement(BPF_JMP | BPF_JA, block.length), ...block]
}

function statement(code: number, k: number): Instruction {
  return {code, jt: 0, jf: 0, k}
}
