import {closeSync, openSync, rmSync, writeSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {toolKilledError} from '../compression/errors.js'
import {isErrno} from '../host/errno.js'
import {type DebArchitecture, systemCalls} from '../host/machine/arch.js'
import {type Exit, ended, readErrorOutput, startGroup} from '../host/process.js'
import {copyFailedError, storageFullError, unguardedCopyError} from './errors.js'
import type {TreeProcess} from './worker/api.js'

/** How to copy a tree that others may change meanwhile: by templates/host/files/copy-tree.pl. */
export type CopyGuard = {
  /** Prefix of its argv. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

export type CopyPlan = {
  readonly cp: string
  readonly from: string
  /** A path that does not exist yet, in a folder that nobody else writes to. */
  readonly to: string
  /** Otherwise root of the process owns all files. */
  readonly keepOwners: boolean
  /**
   * Left out for a tree that is not in use: cp(1) walks by path, and a planted link would lead it out of the
   * tree.
   */
  readonly guard?: CopyGuard
}

/** Exit status of copy-tree.pl. */
const CANNOT_GUARD = 125

/**
 * Copies a tree with cp(1), including modes, times, hard links, holes and extended attributes, and shares
 * blocks if the file system can. Follows no link, and copies nothing that is mounted in the tree.
 *
 * @param process - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @throws {@link storageFullError}
 * @throws {@link copyFailedError}
 * @throws {@link unguardedCopyError} Nothing is copied then.
 * @throws The signal's reason when it is aborted; what was copied until then is left.
 */
export async function copyTree(
  {prefix, environment, held = []}: TreeProcess,
  {cp, from, to, keepOwners, guard}: CopyPlan,
  {signal}: {signal: AbortSignal},
): Promise<void> {
  signal.throwIfAborted()
  const owners = keepOwners ? [] : ['--no-preserve=ownership']
  const command = [
    ...[cp, '--archive', ...owners, '--no-target-directory', '--one-file-system'],
    ...['--reflink=auto', '--sparse=auto', '--'],
  ]
  const argv = guard === undefined ? [...command, from, to] : guarded(command, {from, to, guard})
  const {exit, complaint} = await runToEnd([...prefix, ...argv], {environment, held, signal})
  signal.throwIfAborted()
  if (exit.signal !== null) throw toolKilledError({program: 'cp', signal: exit.signal})
  if (exit.status === 0) return
  const cause = new Error(complaint)
  if (guard !== undefined && exit.status === CANNOT_GUARD) throw unguardedCopyError({from}, {cause})
  throw isFull(dirname(to)) ? storageFullError({root: to}, {cause}) : copyFailedError({from}, {cause})
}

function guarded(
  command: readonly string[],
  {from, to, guard}: {readonly from: string; readonly to: string; readonly guard: CopyGuard},
): string[] {
  const {unshare, mount} = systemCalls(guard.architecture)
  return [...guard.launcher, [unshare, mount].join(','), from, to, ...command]
}

/** Settles after the end of the program, so that its copy can be removed. */
async function runToEnd(
  argv: readonly string[],
  {environment, held, signal}: Required<Omit<TreeProcess, 'prefix'>> & {readonly signal: AbortSignal},
): Promise<{exit: Exit; complaint: string}> {
  const child = startGroup(argv, {
    cwd: '/',
    env: {...environment, LC_ALL: 'C'},
    stdio: ['ignore', 'ignore', 'pipe', ...held],
  })
  const stop = () => child.kill()
  signal.addEventListener('abort', stop)
  try {
    const [exit, complaint] = await Promise.all([ended(child), readErrorOutput(child)])
    return {exit, complaint}
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** More than cp(1) can have left free after it failed on one file and continued with all others. */
const PROBE_BYTES = 2 ** 20

/** Tests by writing whether the disk is full: the program's own report is only a message. */
function isFull(folder: string): boolean {
  const probe = join(folder, '.envs-probe')
  try {
    const fd = openSync(probe, 'wx', 0o600)
    try {
      const bytes = Buffer.alloc(PROBE_BYTES, 1)
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
    } finally {
      closeSync(fd)
    }
    return false
  } catch (error) {
    if (isErrno(error, 'ENOSPC', 'EDQUOT')) return true
    throw error
  } finally {
    rmSync(probe, {force: true})
  }
}
