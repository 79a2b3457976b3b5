import {existsSync} from 'node:fs'
import {rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoring} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {isLockOf, takeLock} from '../../host/locks.js'
import {findEnvironment} from '../../store/environments.js'
import type {ServiceActionResult} from '../services/results.js'
import {isRunning} from '../session/processes.js'
import {programNotEndedError, programNotFoundError} from './errors.js'
import {findProgram, programFiles} from './program.js'

/**
 * Removes programs that have ended from the table of services, with their logs. If one of them runs, removes none.
 *
 * @param text - Name of the environment.
 * @throws {@link programNotFoundError} @throws {@link programNotEndedError}
 */
export async function removePrograms(
  host: Host,
  text: string,
  words: readonly string[],
): Promise<ServiceActionResult> {
  const {name, files} = await findEnvironment(host.paths, text)
  const wasRunning = isRunning(host, files)
  const programs = [...new Set(words)]
  for (const program of programs) {
    const found = await findProgram(files.run, program)
    if (found === undefined) throw programNotFoundError({environment: name, program})
    if (found.state !== 'ended') throw programNotEndedError({environment: name, program})
  }
  // It has been started again meanwhile.
  for (const program of programs)
    if (!(await removeEnded(files.run, program))) throw programNotEndedError({environment: name, program})
  return {name, action: 'rm', units: programs, wasRunning, services: []}
}

/** Removes the state and the log of a program, unless it is kept running. @returns Whether it was removed. */
export async function removeEnded(runFolder: string, program: string): Promise<boolean> {
  const {folder, lock} = programFiles(runFolder, program)
  const own = await takeLock(lock, {mode: 'exclusive', waitMs: 0}).catch(ignoring('ENOENT'))
  if (own === undefined) return !existsSync(lock)
  // No name of a program: one of the same name may start at once.
  const aside = join(folder, '..', `.${program}.removed`)
  try {
    await rm(aside, {recursive: true, force: true})
    if (isLockOf(own, lock)) await rename(folder, aside)
    await rm(aside, {recursive: true, force: true})
    return true
  } finally {
    own.release()
  }
}
