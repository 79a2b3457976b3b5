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

/** A throwaway environment. */
export type Try = {
  readonly name: EnvironmentName
} & Mark

/** The mark of a throwaway environment. */
export type Mark = {
  readonly hasEnded: boolean
  /** The time of the end; for a live environment, of the start. */
  readonly markedAt: Date
}

/** How long an ended environment can be kept; after that, the next command removes it. */
export const KEPT_FOR_MS = 60 * 60 * 1000

/** Marks the environment in `folder`, finished or not, as a throwaway environment. */
export async function markTry(folder: string): Promise<void> {
  await writeFile(filesIn(folder).tryMark, '', {mode: 0o600})
}

const ENDED = 'ended\n'

/** Marks the environment as ended; it can be kept for a while. @throws {NodeJS.ErrnoException} When it was removed. */
export async function noteEnd(folder: string, now: Date): Promise<void> {
  await writeFile(filesIn(folder).tryMark, ENDED, {flag: 'r+'})
  await utimes(filesIn(folder).tryMark, now, now)
}

/**
 * Finds a free name and acquires its lock, which shows that a live command will remove the environment of that name.
 *
 * The lowest free number is reused, because each name leaves lock files behind.
 */
export async function claimTryName(paths: Paths): Promise<{name: EnvironmentName; lock: Lock}> {
  for (let number = 1; ; number++) {
    const name = parseEnvironmentName(`try-${number}`)
    if (await exists(environmentFiles(paths, name).folder)) continue
    const lock = await lockTry(paths, name)
    if (lock === undefined) continue
    // Another command may have created the environment and ended before the lock was acquired.
    if (!(await exists(environmentFiles(paths, name).folder))) return {name, lock}
    lock.release()
  }
}

/**
 * Acquires the lock that the command of a live throwaway environment holds. Sweeps hold it briefly after the end.
 *
 * @returns undefined if another process still holds the lock after `waitMs`.
 */
export async function lockTry(
  paths: Paths,
  name: EnvironmentName,
  {waitMs = 0}: {readonly waitMs?: number} = {},
): Promise<Lock | undefined> {
  await makeFolders(paths.locks, {mode: 0o700})
  // The name of an environment cannot begin with a dot.
  return takeLock(join(paths.locks, `.${name}.alive.lock`), {mode: 'exclusive', waitMs})
}

/** Returns the throwaway environments, live and ended, the last marked first. */
export async function listTries(paths: Paths): Promise<Try[]> {
  const found: Try[] = []
  for (const name of (await listNames(paths)).filter(isTryName)) {
    const mark = await readMark(paths, name)
    if (mark !== undefined) found.push({name, ...mark})
  }
  return found.sort((a, b) => b.markedAt.getTime() - a.markedAt.getTime())
}

/** Reads the mark. @returns undefined for a permanent environment. */
export async function readMark(paths: Paths, name: EnvironmentName): Promise<Mark | undefined> {
  if (!isTryName(name)) return undefined
  const path = environmentFiles(paths, name).tryMark
  try {
    return {hasEnded: readSmallFile(path) === ENDED, markedAt: statSync(path).mtime}
  } catch (error) {
    // An unreadable mark does not count, so that a permanent environment is never removed by mistake.
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
