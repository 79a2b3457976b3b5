import {codeOf} from '../errors.js'
import {openCheckedHost, openHost} from '../host/host.js'
import {listNames} from '../store/environments.js'
import {unknownCommandError} from './errors.js'
import {writeOutput} from './output.js'

const FIRST_STEPS = `
There is no environment yet. To begin:
  envs try hello -- hello  run the package hello in an environment that is removed at its end
  envs create              create an environment, by default from the release of the host
  envs doctor              see what this host can do
`

/** Prints the first steps for a user without an environment. */
export async function printFirstSteps(): Promise<void> {
  const names = await listNames(openCheckedHost().paths)
  if (names.length === 0) writeOutput(FIRST_STEPS)
}

/** Returns the error for a word that is no command, and names an environment, with the command that enters it; else `error`. */
export async function orEnvironment(error: unknown, word: string): Promise<unknown> {
  if (codeOf(error) !== unknownCommandError.code) return error
  const names: readonly string[] = await listNames(openHost().paths)
  return names.includes(word) ? unknownCommandError({name: word}, {hints: [`envs enter ${word}`]}) : error
}
