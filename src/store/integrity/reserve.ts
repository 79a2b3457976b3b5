import {randomFillSync} from 'node:crypto'
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import {join} from 'node:path'
import {EnvsError} from '../../errors.js'
import {isErrno, unlessErrno} from '../../host/errno.js'
import type {Paths} from '../../host/paths.js'

/**
 * Size of a file that takes up space until the disk or a quota is full. Removing it leaves room for the records of a few starts,
 * and for the history of an environment with hundreds of snapshots.
 */
const RESERVE_BYTES = 512 * 2 ** 10
const CHUNK_BYTES = 64 * 2 ** 10

/** A smaller disk has more use for the space than for the reserve. */
const LEAST_FREE_BYTES = 8 * RESERVE_BYTES

type StorePaths = Pick<Paths, 'data'>

function reservePath({data}: StorePaths): string {
  return join(data, 'reserve')
}

/** Makes the reserve, if it is missing and the disk has room. A failure is ignored: all commands work without it. */
export function keepReserve(paths: StorePaths): void {
  const path = reservePath(paths)
  unlessErrno(() => {
    if (lstatSync(path, {throwIfNoEntry: false}) !== undefined) return
    const {bavail, bsize} = statfsSync(paths.data)
    if (bavail * bsize >= LEAST_FREE_BYTES) fillReserve(path)
  })
}

/**
 * Does small work that must succeed on a full disk, such as a start or an undo: where it fails for lack of space, releases the
 * reserve and does the work again.
 *
 * @param work - Changes nothing where it fails, so that it can be done again.
 */
export async function withReserve<Result>(paths: StorePaths, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(isFull(error) || isFullAtStart(error, paths)) || !releaseReserve(paths)) throw error
    try {
      return await work()
    } finally {
      // As much as there is room for: the next command on the full disk needs a part of it.
      unlessErrno(() => fillReserve(reservePath(paths)))
    }
  }
}

/** Returns whether an error tells of a full disk or a used-up quota. */
function isFull(error: unknown): boolean {
  if (error instanceof EnvsError) return FULL_CODES.has(error.code)
  return isErrno(error, 'ENOSPC', 'EDQUOT')
}

const FULL_CODES: ReadonlySet<string> = new Set(['ENVS_STORAGE_FULL', 'ENVS_NO_SPACE'])

/** A program that mounts layers tells of a full disk in words alone: so this looks for room. */
function isFullAtStart(error: unknown, paths: StorePaths): boolean {
  return error instanceof EnvsError && error.code === 'ENVS_START_FAILED' && !hasRoom(paths)
}

/** Returns whether a small file can be written. */
function hasRoom({data}: StorePaths): boolean {
  const path = join(data, `.room.${process.pid}`)
  try {
    writeFileSync(path, randomFillSync(Buffer.alloc(CHUNK_BYTES)), {flag: 'wx', mode: 0o600})
    return true
  } catch (error) {
    if (!isFull(error)) throw error
    return false
  } finally {
    rmSync(path, {force: true})
  }
}

/** @returns Whether there was a reserve. */
function releaseReserve(paths: StorePaths): boolean {
  return (
    unlessErrno(() => {
      rmSync(reservePath(paths))
      return true
    }) ?? false
  )
}

/** Fills the file until it has its size, or the disk is full. */
function fillReserve(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    // Random, because a file system may compress other bytes, or keep none at all.
    const chunk = randomFillSync(Buffer.alloc(CHUNK_BYTES))
    for (let size = 0; size < RESERVE_BYTES; size += writeSync(fd, chunk));
  } catch (error) {
    if (!isFull(error)) throw error
  } finally {
    closeSync(fd)
  }
}
