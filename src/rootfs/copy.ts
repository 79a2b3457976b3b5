import {closeSync, openSync, rmSync, writeSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {ToolKilledError} from '../compression/errors.js'
import {errnoOf} from '../errors.js'
import {type Exit, ended, start} from '../host/process.js'
import {readComplaint} from './complaint.js'
import {CopyFailedError, StorageFullError} from './errors.js'
import type {TreeProcess} from './tree-process.js'

/**
 * Copies a tree at rest with cp(1): modes, times, hard links, holes and extended attributes too, sharing blocks where the
 * file system can. No link is followed, and nothing that is mounted in the tree goes along.
 *
 * @param process - Root of a user namespace, so that no mode of the tree forbids reading it.
 * @param keepOwners - Else whoever root is there owns all.
 * @param to - A path that is not there yet, in a folder that nobody else writes to.
 * @throws {StorageFullError}
 * @throws {CopyFailedError}
 * @throws The signal's reason when it is aborted; what was copied until then is left.
 */
export async function copyTree(
  {prefix, environment, held = []}: TreeProcess,
  {cp, from, to, keepOwners}: {cp: string; from: string; to: string; keepOwners: boolean},
  {signal}: {signal: AbortSignal},
): Promise<void> {
  signal.throwIfAborted()
  const owners = keepOwners ? [] : ['--no-preserve=ownership']
  const argv = [
    ...prefix,
    cp,
    ...['--archive', ...owners, '--no-target-directory', '--one-file-system'],
    ...['--reflink=auto', '--sparse=auto', '--', from, to],
  ]
  const {exit, complaint} = await runToEnd(argv, {environment, held, signal})
  signal.throwIfAborted()
  if (exit.signal !== null) throw new ToolKilledError('cp', exit.signal)
  if (exit.status === 0) return
  const cause = new Error(complaint)
  throw isFull(dirname(to)) ? new StorageFullError(to, cause) : new CopyFailedError(from, cause)
}

/** When this settles the program is gone, so that what it made can be taken away. */
async function runToEnd(
  argv: readonly string[],
  {environment, held, signal}: Required<Omit<TreeProcess, 'prefix'>> & {readonly signal: AbortSignal},
): Promise<{exit: Exit; complaint: string}> {
  const child = start(argv, {
    cwd: '/',
    env: {...environment, LC_ALL: 'C'},
    stdio: ['ignore', 'ignore', 'pipe', ...held],
  })
  const stop = () => child.kill()
  signal.addEventListener('abort', stop)
  try {
    const [exit, complaint] = await Promise.all([ended(child), readComplaint(child)])
    return {exit, complaint}
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** More than cp(1) can have left free after it failed on one file and went on with all others. */
const PROBE_BYTES = 2 ** 20

/** Whether the disk takes no more, found out by writing: the program's own word for it is a message. */
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
    if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') return true
    throw error
  } finally {
    rmSync(probe, {force: true})
  }
}
