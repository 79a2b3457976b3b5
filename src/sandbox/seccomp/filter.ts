import type {DebArchitecture} from '../../host/architecture.js'
import {
  type ByteOrder,
  encodeProgram,
  type Instruction,
  loadWord,
  maskWord,
  returnValue,
  whenAtLeast,
  whenEqual,
} from './bpf.js'
import {
  ARCHITECTURE_OFFSET,
  argumentOffset,
  auditArchitecture,
  byteOrder,
  kindred,
  NUMBER_OFFSET,
  X32_SYSCALL_BIT,
} from './calling-convention.js'
import {type FilterSet, type Rule, rulesOf} from './filter-sets.js'
import {syscallNumber} from './syscalls.js'

// linux/seccomp.h
const SECCOMP_RET_ALLOW = 0x7fff0000
const SECCOMP_RET_ERRNO = 0x00050000

// asm-generic/errno-base.h, asm-generic/errno.h
const EPERM = 1
const ENOSYS = 38

// linux/stat.h
const S_IFMT = 0o170000
const S_IFCHR = 0o020000
const S_IFBLK = 0o060000

// asm-generic/ioctls.h; the same on every architecture of DebArchitecture
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

/** The number of a call that a tracer has cancelled: the answer is the tracer's. @see ptrace(2) */
const CANCELLED = 0xffffffff

const ALLOW = returnValue(SECCOMP_RET_ALLOW)
const SUCCEED = returnValue(SECCOMP_RET_ERRNO)
const REFUSE = returnValue(SECCOMP_RET_ERRNO | EPERM)
const UNKNOWN_CALL = returnValue(SECCOMP_RET_ERRNO | ENOSYS)

/**
 * A seccomp filter for programs of `architecture` and of its 32-bit or 64-bit kin.
 *
 * Calls of an architecture it doesn't know are allowed: the filter makes an unprivileged root credible, and
 * the boundary to the host is the user id. It never kills.
 *
 * @returns `struct sock_filter` entries in the byte order of `architecture`.
 * @see seccomp(2)
 */
export function buildFilter(architecture: DebArchitecture, sets: readonly FilterSet[]): Buffer {
  const order = byteOrder(architecture)
  const rules = sets.flatMap(rulesOf)
  const sections = kindred(architecture).flatMap((kin) =>
    whenEqual(auditArchitecture(kin), sectionFor(kin, rules, order)),
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

/** The x32 ABI has numbers of its own, so without this it would be a way around every rule. */
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
  }
}

/**
 * FIFOs, sockets and files are made for real. So is the character device 0:0, overlayfs's whiteout: any user
 * may make one since Linux 5.8, and a container tool inside would lose deletions without it.
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
