import {closeSync, constants, openSync, writeSync} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'
import {takeLock} from '../../host/locks.js'
import type {Environment} from '../../store/environments.js'
import {programStuckError} from './errors.js'
import {listPrograms, type Program, programFiles} from './program.js'

/** Time that a program has to end after SIGTERM, before SIGKILL. */
const STOP_GRACE_SECONDS = 5
/** Longer than a session takes to end its command when it is killed itself. */
const KILL_MS = 10_000

type StopProgramOptions = {
  readonly environment: string
  readonly graceSeconds?: number
}

/**
 * Stops one program: SIGTERM, and SIGKILL after the grace period. It is not started again.
 *
 * @returns Whether it was kept running.
 * @throws {@link programStuckError}
 */
async function stopProgram(
  runFolder: string,
  program: Program,
  {environment, graceSeconds = STOP_GRACE_SECONDS}: StopProgramOptions,
): Promise<boolean> {
  if (program.keeperPid === null) return false
  tell(runFolder, program.name, `stop ${graceSeconds}\n`)
  if (await hasEnded(runFolder, program.name, graceSeconds * 1000 + KILL_MS)) return true
  throw programStuckError({program: program.name, environment, pid: program.keeperPid})
}

/** Stops those of the words that are names of programs. @returns These words. @throws {@link programStuckError} */
export async function stopPrograms(
  {name, files: {run}}: Pick<Environment, 'name' | 'files'>,
  words: readonly string[],
): Promise<string[]> {
  const programs = (await listPrograms(run)).filter((program) => words.includes(program.name))
  for (const program of programs) await stopProgram(run, program, {environment: name})
  return programs.map((program) => program.name)
}

/** Has the programs of an environment end with their present sessions. @returns Those that are kept running now. */
export async function leavePrograms(runFolder: string): Promise<Program[]> {
  const kept = (await listPrograms(runFolder)).filter(({keeperPid}) => keeperPid !== null)
  for (const {name} of kept) tell(runFolder, name, 'leave\n')
  return kept
}

/** Waits until programs that were told to leave have ended, and stops those that have not: a session of theirs had just begun. */
export async function awaitPrograms(
  runFolder: string,
  programs: readonly Program[],
  environment: string,
): Promise<void> {
  for (const program of programs)
    if (!(await hasEnded(runFolder, program.name, LEAVE_MS)))
      await stopProgram(runFolder, program, {environment, graceSeconds: 0})
}

/** Longer than a session takes to notice the end of its environment. */
const LEAVE_MS = 3000

function tell(runFolder: string, name: string, word: string): void {
  const {O_WRONLY, O_NONBLOCK, O_NOFOLLOW} = constants
  unlessErrno(() => {
    // Fails with ENXIO where no program reads it any more.
    const fd = openSync(programFiles(runFolder, name).control, O_WRONLY | O_NONBLOCK | O_NOFOLLOW)
    try {
      writeSync(fd, word)
    } finally {
      closeSync(fd)
    }
  })
}

async function hasEnded(runFolder: string, name: string, waitMs: number): Promise<boolean> {
  const lock = await takeLock(programFiles(runFolder, name).lock, {mode: 'shared', waitMs})
  lock?.release()
  return lock !== undefined
}
