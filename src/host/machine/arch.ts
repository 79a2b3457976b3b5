import {closeSync, openSync, readSync} from 'node:fs'
import {unknownArchitectureError} from '../errors.js'

/** Architectures by dpkg's names. @see dpkg-architecture(1) */
export const DEB_ARCHITECTURES = [
  'amd64',
  'arm64',
  'armhf',
  'i386',
  'loong64',
  'ppc64el',
  'riscv64',
  's390x',
] as const

export type DebArchitecture = (typeof DEB_ARCHITECTURES)[number]

const BY_NODE: Readonly<Partial<Record<NodeJS.Architecture | 'loong64', DebArchitecture>>> = {
  arm: 'armhf',
  arm64: 'arm64',
  ia32: 'i386',
  loong64: 'loong64',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'amd64',
}

/** Returns dpkg's name of the processor that Node runs on. */
export function debArchitecture(architecture: string): DebArchitecture {
  const known = BY_NODE[architecture as keyof typeof BY_NODE]
  if (known === undefined) throw unknownArchitectureError({architecture})
  return known
}

/** Returns the architecture with a dpkg name; undefined if it is unknown. */
export function namedArchitecture(name: string): DebArchitecture | undefined {
  return DEB_ARCHITECTURES.find((known) => known === name)
}

/** Kernels that always run programs of another architecture too. Some arm64 kernels run armhf, some do not. */
const ALSO_RUN: Readonly<Partial<Record<DebArchitecture, DebArchitecture>>> = {amd64: 'i386'}

/** Returns whether a host runs the programs of an architecture without QEMU. */
export function runsAsItIs(host: DebArchitecture, guest: DebArchitecture): boolean {
  return host === guest || ALSO_RUN[host] === guest
}

/** System call numbers, which the programs of templates/host cannot look up. */
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
  readonly fchownat: number
  readonly sendmsg: number
  readonly recvmsg: number
  readonly seccomp: number
}

// biome-ignore format: one for each call
type SystemCallRow = readonly [number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number]

/** @see Linux arch/<ARCH>/entry/syscalls/syscall.tbl; arm64, riscv64 and loongarch64: asm-generic/unistd.h */
// biome-ignore format: a line for each processor
const NUMBERS: Readonly<Record<DebArchitecture, SystemCallRow>> = {
  amd64: [157, 308, 272, 190, 192, 332, 280, 165, 166, 155, 170, 112, 302, 61, 260, 46, 47, 317],
  arm64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260, 54, 211, 212, 277],
  armhf: [172, 375, 337, 228, 230, 397, 348, 21, 52, 218, 74, 66, 369, 114, 325, 296, 297, 383],
  i386: [172, 346, 310, 228, 230, 383, 320, 21, 52, 217, 74, 66, 340, 114, 298, 370, 372, 354],
  loong64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260, 54, 211, 212, 277],
  ppc64el: [171, 350, 282, 211, 213, 383, 304, 21, 52, 203, 74, 66, 325, 114, 289, 341, 342, 358],
  riscv64: [167, 268, 97, 7, 9, 291, 88, 40, 39, 41, 161, 157, 261, 260, 54, 211, 212, 277],
  s390x: [172, 339, 303, 226, 228, 379, 315, 21, 52, 217, 74, 66, 334, 114, 291, 370, 372, 348],
}

export function systemCalls(architecture: DebArchitecture): SystemCalls {
  const [prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat, ...mounting] = NUMBERS[architecture]
  const [mount, umount2, pivotRoot, sethostname, setsid, prlimit64, wait4, fchownat, ...messages] = mounting
  const [sendmsg, recvmsg, seccomp] = messages
  return {
    ...{prctl, setns, unshare, fsetxattr, lgetxattr, statx, utimensat},
    ...{mount, umount2, pivotRoot, sethostname, setsid, prlimit64, wait4, fchownat},
    ...{sendmsg, recvmsg, seccomp},
  }
}

/** Returns which ioctl(2) numbers a processor has: those of asm-generic/ioctls.h, or POWER's own. */
export function ioctlKind(architecture: DebArchitecture): 'generic' | 'power' {
  return architecture === 'ppc64el' ? 'power' : 'generic'
}

const QEMU_NAMES: Readonly<Record<DebArchitecture, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  armhf: 'arm',
  i386: 'i386',
  loong64: 'loongarch64',
  ppc64el: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
}

/** Returns the name of QEMU's program for an architecture: `qemu-aarch64`. */
export function qemuProgram(architecture: DebArchitecture): string {
  return `qemu-${QEMU_NAMES[architecture]}`
}

const HEADER_BYTES = 64
const MAX_PROGRAM_HEADERS = 64
/** elf(5): program header of a dynamically linked program. */
const PT_INTERP = 3

/** Returns whether a program is a static ELF file, which runs in any root file system. @see elf(5) */
export function isStaticProgram(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    return hasNoInterpreter((offset, length) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
    })
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  } finally {
    closeSync(fd)
  }
}

/** @throws {RangeError} If the file is truncated. */
function hasNoInterpreter(read: (offset: number, length: number) => Buffer): boolean {
  const header = read(0, HEADER_BYTES)
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return false
  const [is64, isLittle] = [header[4] === 2, header[5] === 1]
  const short = (at: number) => (isLittle ? header.readUInt16LE(at) : header.readUInt16BE(at))
  const long = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const wide = (at: number) => Number(isLittle ? header.readBigUInt64LE(at) : header.readBigUInt64BE(at))
  const start = is64 ? wide(32) : long(header, 28)
  const [size, count] = is64 ? [short(54), short(56)] : [short(42), short(44)]
  if (count === 0 || count > MAX_PROGRAM_HEADERS || start > Number.MAX_SAFE_INTEGER - 65536) return false
  const table = read(start, size * count)
  return Array.from({length: count}, (_, index) => long(table, index * size)).every(
    (type) => type !== PT_INTERP,
  )
}
