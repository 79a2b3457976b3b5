import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {openHost} from '../../src/host/host.js'
import {systemCalls} from '../../src/host/machine/arch.js'
import {requirePerl, scriptWords} from '../../src/host/process.js'
import {
  byteOrder,
  encodeProgram,
  loadWord,
  NUMBER_OFFSET,
  returnValue,
  whenEqual,
} from '../../src/sandbox/seccomp/filter.js'
import type {Scope} from './cli.js'
import {quoted} from './guest.js'

// linux/seccomp.h, asm-generic/errno.h
const SECCOMP_RET_ALLOW = 0x7fff0000
const SECCOMP_RET_ERRNO = 0x00050000
const ENOSYS = 38

/** There since Linux 5.12, with the same number on every processor. @see mount_setattr(2) */
export const MOUNT_SETATTR = 442

/**
 * A kernel that does not know a system call yet, for as long as the scope lasts.
 *
 * Who runs there can gain no privileges by setuid files.
 *
 * @returns Words before a program that is to run on it.
 */
export async function olderKernel(scope: Scope, {without}: {without: number}): Promise<readonly string[]> {
  const host = openHost()
  const folder = await mkdtemp(join(tmpdir(), 'envs-kernel-'))
  scope.after(() => rm(folder, {recursive: true}))
  const path = join(folder, 'filter')
  const unknown = whenEqual(without, [returnValue(SECCOMP_RET_ERRNO | ENOSYS)])
  const program = [loadWord(NUMBER_OFFSET), ...unknown, returnValue(SECCOMP_RET_ALLOW)]
  await writeFile(path, encodeProgram(program, byteOrder(host.architecture)))
  const {prctl} = systemCalls(host.architecture)
  const loader = quoted([...scriptWords(requirePerl(host), 'load-filter'), String(prctl)])
  return ['sh', '-c', `exec ${loader} "$PPID" "$@" 6<'${path}'`, 'sh']
}
