import {statSync} from 'node:fs'
import {access, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isErrno} from '../../host/errno.js'
import {makeFolders, readSmallFile} from '../../host/files.js'
import {type Lock, takeLock} from '../../host/locks.js'
import type {Paths} from '../../host/paths.js'
import {
  type EnvironmentName,
  environmentFiles,
  filesIn,
  isTryName,
  listNames,
  parseEnvironmentName,
} from '../../store/environments.js'

/** An environment that goes by itself. */
export type Try = {
  readonly name: EnvironmentName
} & Mark

export type Mark = {
  readonly hasEnded: boolean
  /** When it ended, else when it began. */
  readonly markedAt: Date
}

/** How long an ended one can still be kept; then the next command takes it away. */
export const KEPT_FOR_MS = 60 * 60 * 1000

/** Marks what is in `folder`, an environment or what becomes one, as one that goes by itself. */
export async function markTry(folder: string): Promise<void> {
  await writeFile(filesIn(folder).tryMark, '', {mode: 0o600})
}

const ENDED = 'ended\n'

/** Notes that it has ended, from when on it can be kept for a while. @throws {NodeJS.ErrnoException} When it is gone. */
export async function noteEnd(folder: string, now: Date): Promise<void> {
  await writeFile(filesIn(folder).tryMark, ENDED, {flag: 'r+'})
  await utimes(filesIn(folder).tryMark, now, now)
}

/**
 * A name that no environment has, and the lock that says of whatever gets it that somebody is there who takes it away.
 *
 * Numbers are used again: each leaves files of locks behind.
 */
export async function claimTryName(paths: Paths): Promise<{name: EnvironmentName; lock: Lock}> {
  for (let number = 1; ; number++) {
    const name = parseEnvironmentName(`try-${number}`)
    if (await exists(environmentFiles(paths, name).folder)) continue
    const lock = await lockTry(paths, name)
    if (lock === undefined) continue
    // Somebody may have made it, and gone, in between.
    if (!(await exists(environmentFiles(paths, name).folder))) return {name, lock}
    lock.release()
  }
}

/**
 * The lock that a live one holds, and for a moment who looks after one that has ended.
 *
 * @returns undefined while somebody else has it, for as long as `waitMs`.
 */
export async function lockTry(
  paths: Paths,
  name: EnvironmentName,
  {waitMs = 0}: {readonly waitMs?: number} = {},
): Promise<Lock | undefined> {
  await makeFolders(paths.locks, {mode: 0o700})
  // No environment has a name that begins with a dot.
  return takeLock(join(paths.locks, `.${name}.alive.lock`), {mode: 'exclusive', waitMs})
}

/** Those there are, live and ended, the one marked last first. */
export async function listTries(paths: Paths): Promise<Try[]> {
  const found: Try[] = []
  for (const name of (await listNames(paths)).filter(isTryName)) {
    const mark = await readMark(paths, name)
    if (mark !== undefined) found.push({name, ...mark})
  }
  return found.sort((a, b) => b.markedAt.getTime() - a.markedAt.getTime())
}

/** @returns undefined for an environment that stays. */
export async function readMark(paths: Paths, name: EnvironmentName): Promise<Mark | undefined> {
  if (!isTryName(name)) return undefined
  const path = environmentFiles(paths, name).tryMark
  try {
    return {hasEnded: readSmallFile(path) === ENDED, markedAt: statSync(path).mtime}
  } catch (error) {
    // One that can't be read marks nothing: what stays is never taken away by mistake.
    if (!isErrno(error)) throw error
    return undefined
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
