import {type DebArchitecture, qemuProgram} from '../host/arch.js'
import {capture} from '../host/process.js'
import {GUEST_PATH} from './constants.js'
import type {Mount} from './mounts.js'

type Kind = {readonly bits: 32 | 64; readonly order: 'little' | 'big'; readonly machine: number}

/** How programs of an architecture begin. @see elf(5); linux/elf-em.h */
const KINDS: Readonly<Record<DebArchitecture, Kind>> = {
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
/** The system a program was made for, which the kernel does not ask either. */
const OS_OFFSET = 7

/** The first bytes of a program, and which bits of them count. */
export function programHead(architecture: DebArchitecture): {magic: Buffer; mask: Buffer} {
  const {bits, order, machine} = KINDS[architecture]
  const magic = Buffer.alloc(HEAD_BYTES)
  magic.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, order === 'little' ? 1 : 2, 1])
  const mask = Buffer.alloc(HEAD_BYTES, 0xff)
  mask[OS_OFFSET] = 0
  const write = (buffer: Buffer, value: number, offset: number) =>
    order === 'little' ? buffer.writeUInt16LE(value, offset) : buffer.writeUInt16BE(value, offset)
  write(magic, EXECUTABLE, TYPE_OFFSET)
  // One bit tells them apart, and both are programs.
  write(mask, 0xffff & ~(EXECUTABLE ^ SHARED), TYPE_OFFSET)
  write(magic, machine, MACHINE_OFFSET)
  return {magic, mask}
}

/**
 * What binfmt_misc is told, so that it runs programs of an architecture by `program`. F: that is opened now, so that a
 * guest, which has no such file, gets it; P: it is told the name it was called by; C: setuid is that of the guest's program.
 *
 * @param program - Absolute path of a program that needs no library.
 * @throws {Error} When the kernel could not read it: the path has a line end, or is far too long.
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

/** Where the kernel has the table of interpreters, in the guest as on the host. */
export const TABLE_MOUNT_POINT = '/proc/sys/fs/binfmt_misc'

type Tools = {
  readonly unshare: string
  readonly mount: string
  /** An empty folder of the host that the table is mounted on, in a mount namespace of its own. */
  readonly at: string
}

/**
 * Words before a program whose user namespace has a table of interpreters of its own, with one entry. They need the rights of
 * root there, and Linux 6.7. The table goes when nothing has it mounted any more.
 *
 * @param entry - As `registration` words it.
 */
export function tableFirst(entry: string, {unshare, mount, at}: Tools): string[] {
  return [
    ...[unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', REGISTER_AND_RUN],
    ...[mount, at, entry],
  ]
}

const REGISTER_AND_RUN =
  '"$0" -t binfmt_misc envs "$1" && printf %s "$2" >"$1/register" && shift 2 && exec "$@"'

/** So that the table stays as long as the guest; its root may not change it, lest its own programs end working. */
export function tableMount(at: string): Mount {
  return {kind: 'bind', from: at, at: TABLE_MOUNT_POINT, access: 'ro'}
}

const TIMEOUT_MS = 10_000

/** Whether such a table can be made here. @param prefix - Words that make a user namespace. */
export async function canHaveTable(
  prefix: readonly string[],
  {entry, ...tools}: Tools & {readonly entry: string},
): Promise<boolean> {
  const {status} = await capture([...prefix, ...tableFirst(entry, tools), '/bin/sh', '-c', ':'], {
    cwd: '/',
    env: {PATH: GUEST_PATH},
    timeout: TIMEOUT_MS,
  })
  return status === 0
}
