/**
 * The kernel's classic BPF machine as a seccomp filter meets it, written from its documentation alone so
 * that it can judge what src/sandbox/seccomp encodes.
 *
 * @see Documentation/networking/filter.rst (opcodes) and kernel/seccomp.c (what a filter may load)
 */

/** A system call as the kernel shows it to a filter: struct seccomp_data, 64 bytes. */
export type SystemCall = {
  readonly audit: number
  readonly number: number
  /** Up to six, 64 bits each. */
  readonly arguments?: readonly bigint[]
}

export type Verdict = 'allow' | `errno ${number}` | `other 0x${string}`

const DATA_BYTES = 64
const LONGEST_PROGRAM = 4096

const OPCODE = {
  loadAbsolute: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfGreaterOrEqual: 0x35,
  return: 0x06,
} as const

type Operation = {code: number; whenTrue: number; whenFalse: number; operand: number}

/** Runs a filter over one call; throws on anything for which the kernel refuses to load the filter. */
export function judge(filter: Buffer, call: SystemCall, isLittleEndian = true): Verdict {
  const program = decode(filter, isLittleEndian)
  verify(program)
  return verdictOf(run(program, seccompData(call, isLittleEndian), isLittleEndian))
}

function decode(filter: Buffer, isLittleEndian: boolean): Operation[] {
  if (filter.length % 8 !== 0) throw new Error('the program does not end with an instruction')
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length)
  return Array.from({length: filter.length / 8}, (_, index) => ({
    code: view.getUint16(index * 8, isLittleEndian),
    whenTrue: view.getUint8(index * 8 + 2),
    whenFalse: view.getUint8(index * 8 + 3),
    operand: view.getUint32(index * 8 + 4, isLittleEndian),
  }))
}

function verify(program: readonly Operation[]): void {
  if (program.length < 1 || program.length > LONGEST_PROGRAM) throw new Error('bad program length')
  if (program.at(-1)?.code !== OPCODE.return) throw new Error('the program does not end with a return')
  for (const [at, {code, whenTrue, whenFalse, operand}] of program.entries()) {
    const reach = (offset: number) => {
      if (at + 1 + offset >= program.length) throw new Error(`instruction ${at} jumps out of the program`)
    }
    switch (code) {
      case OPCODE.loadAbsolute:
        if (operand % 4 !== 0 || operand + 4 > DATA_BYTES)
          throw new Error(`instruction ${at} loads from ${operand}`)
        break
      case OPCODE.jump:
        reach(operand)
        break
      case OPCODE.jumpIfEqual:
      case OPCODE.jumpIfGreaterOrEqual:
        reach(whenTrue)
        reach(whenFalse)
        break
      case OPCODE.and:
      case OPCODE.return:
        break
      default:
        throw new Error(`instruction ${at} has the code 0x${code.toString(16)}`)
    }
  }
}

function run(program: readonly Operation[], data: DataView, isLittleEndian: boolean): number {
  let accumulator = 0
  for (let at = 0; ; at++) {
    const operation = program[at]
    if (operation === undefined) throw new Error('ran out of the program')
    const {code, whenTrue, whenFalse, operand} = operation
    switch (code) {
      case OPCODE.loadAbsolute:
        accumulator = data.getUint32(operand, isLittleEndian)
        break
      case OPCODE.and:
        accumulator = (accumulator & operand) >>> 0
        break
      case OPCODE.jump:
        at += operand
        break
      case OPCODE.jumpIfEqual:
        at += accumulator === operand ? whenTrue : whenFalse
        break
      case OPCODE.jumpIfGreaterOrEqual:
        at += accumulator >= operand ? whenTrue : whenFalse
        break
      case OPCODE.return:
        return operand
    }
  }
}

function seccompData({audit, number, arguments: list = []}: SystemCall, isLittleEndian: boolean): DataView {
  const data = new DataView(new ArrayBuffer(DATA_BYTES))
  data.setInt32(0, number, isLittleEndian)
  data.setUint32(4, audit, isLittleEndian)
  for (const [index, value] of list.entries()) data.setBigUint64(16 + index * 8, value, isLittleEndian)
  return data
}

/** @see linux/seccomp.h: the action is the upper half, its data the lower. */
function verdictOf(value: number): Verdict {
  if (value === 0x7fff0000) return 'allow'
  if (value >>> 16 === 0x0005) return `errno ${value & 0xffff}`
  return `other 0x${value.toString(16)}`
}
