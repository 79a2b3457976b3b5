import {type DebArchitecture, qemuProgram} from '../host/machine/arch.js'
import {capture} from '../host/process.js'
import {GUEST_PATH} from './constants.js'
import type {Mount} from './mounts.js'

type ElfKind = {readonly bits: 32 | 64; readonly order: 'little' | 'big'; readonly machine: number}

/** ELF header fields of an architecture's programs. @see elf(5); linux/elf-em.h */
const ELF_KINDS: Readonly<Record<DebArchitecture, ElfKind>> = {
  amd64: {bits: 64, order: 'little', machine: 62},
  arm64: {bits: 64, order: 'little', machine: 183},
  armhf: {bits: 32, order: 'little', machine: 40},
  i386: {bits: 32, order: 'little', machine: 3},
  loong64: {bits: 64, order: 'little', machine: 258},
  ppc64el: {bits: 64, order: 'little', machine: 21},
  riscv64: {bits: 64, order: 'little', machine: 243},
  s390x: {bits: 64, order: 'big', machine: 22},
}

/** Bytes of the ELF identification, then the type and the machine. */
const HEAD_BYTES = 20
const [TYPE_OFFSET, MACHINE_OFFSET] = [16, 18]
const [EXECUTABLE, SHARED] = [2, 3]
/** Offset of the OS ABI in the identification, which the kernel ignores too. */
const OS_OFFSET = 7

/** Returns the first bytes of an architecture's programs, and the mask of the bits to compare. */
export function programHead(architecture: DebArchitecture): {magic: Buffer; mask: Buffer} {
  const {bits, order, machine} = ELF_KINDS[architecture]
  const magic = Buffer.alloc(HEAD_BYTES)
  magic.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, order === 'little' ? 1 : 2, 1])
  const mask = Buffer.alloc(HEAD_BYTES, 0xff)
  mask[OS_OFFSET] = 0
  const write = (buffer: Buffer, value: number, offset: number) =>
    order === 'little' ? buffer.writeUInt16LE(value, offset) : buffer.writeUInt16BE(value, offset)
  write(magic, EXECUTABLE, TYPE_OFFSET)
  // Ignore the bit in which the types ET_EXEC and ET_DYN differ: both are programs.
  write(mask, 0xffff & ~(EXECUTABLE ^ SHARED), TYPE_OFFSET)
  write(magic, machine, MACHINE_OFFSET)
  return {magic, mask}
}

/**
 * Returns the text that registers `program` at binfmt_misc as the interpreter for programs of an architecture. F: the kernel opens
 * the interpreter at registration, so that a guest without that file can use it; P: it keeps argv[0]; O: it passes an open
 * descriptor; C: it takes credentials, such as setuid, from the guest's program.
 *
 * @param program - Absolute path of a static program.
 * @throws {Error} When the kernel could not parse the text: the path has a newline, or is far too long.
 * @see the kernel's Documentation/admin-guide/binfmt-misc.rst
 */
export function registration(architecture: DebArchitecture, program: string): string {
  const {magic, mask} = programHead(architecture)
  const separator = [':', '|', '!'].find((each) => !program.includes(each))
  const text = [
    ...['', qemuProgram(architecture), 'M', ''],
    ...[escaped(magic), escaped(mask), program, 'POCF'],
  ].join(separator)
  if (separator === undefined || /\n/.test(program) || text.length > MAX_TEXT)
    throw new Error(`${program} can't be registered as an interpreter`)
  return text
}

/** fs/binfmt_misc.c, MAX_REGISTER_LENGTH. */
const MAX_TEXT = 1920

function escaped(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Mount point of the table of interpreters, in the guest as on the host. */
export const TABLE_MOUNT_POINT = '/proc/sys/fs/binfmt_misc'

type TableOptions = {
  readonly unshare: string
  readonly mount: string
  /** An empty folder of the host: the mount point of the table in the program's own mount namespace. */
  readonly at: string
}

/**
 * Returns an argv prefix that gives the program's user namespace its own table of interpreters, with one entry. It needs root of
 * that user namespace, and Linux 6.7. The kernel removes the table with its last mount.
 *
 * @param entry - Text of {@link registration}.
 */
export function tableFirst(entry: string, {unshare, mount, at}: TableOptions): string[] {
  return [
    ...[unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', REGISTER_AND_RUN],
    ...[mount, at, entry],
  ]
}

const REGISTER_AND_RUN =
  '"$0" -t binfmt_misc envs "$1" && printf %s "$2" >"$1/register" && shift 2 && exec "$@"'

/** Returns the mount that keeps the table while the guest runs. Read-only: a change by the guest's root would break its programs. */
export function tableMount(at: string): Mount {
  return {kind: 'bind', from: at, at: TABLE_MOUNT_POINT, access: 'ro'}
}

const TIMEOUT_MS = 10_000

/** Returns whether this kernel can make such a table. @param prefix - Argv prefix that makes a user namespace. */
export async function canHaveTable(
  prefix: readonly string[],
  {entry, ...tools}: TableOptions & {readonly entry: string},
): Promise<boolean> {
  const {status} = await capture([...prefix, ...tableFirst(entry, tools), '/bin/sh', '-c', ':'], {
    cwd: '/',
    env: {PATH: GUEST_PATH},
    timeout: TIMEOUT_MS,
  })
  return status === 0
}
