import {EnvsError, UsageError} from '../../errors.js'
import {EnvironmentNotFoundError} from '../../store/errors.js'

/**
 * Returns the error for what stands in place of the name of an environment, with next steps for what it is elsewhere.
 *
 * @param error - Any error that is not about the name is returned unchanged.
 */
export function explainName(error: unknown, steps: readonly string[]): unknown {
  const isOfName = error instanceof EnvironmentNotFoundError || error instanceof UsageError
  if (!isOfName || steps.length === 0) return error
  const {message, code, exitCode, suggestions} = error
  return new EnvsError(message, {code, exitCode, suggestions: [...steps, ...suggestions], cause: error})
}

/** Names of images; other tools take one where envs takes an environment. */
const IMAGE =
  /^(?:(?:debian|ubuntu)(?:[:/].+)?|bionic|focal|jammy|noble|buster|bullseye|bookworm|trixie|docker:\/\/.+|[a-z0-9-]+(?:\.[a-z0-9-]+)+\/.+)$/

/** Returns next steps for the name of an image in place of an environment. */
export function imageHabits(name: string | undefined): string[] {
  if (name === undefined || !IMAGE.test(name)) return []
  return [`To use an image once: envs try ${name} -- COMMAND`, `To keep an environment: envs create ${name}`]
}
