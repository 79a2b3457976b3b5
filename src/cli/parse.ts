import {Errors, type Interfaces} from '@oclif/core'
import {UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {commandLineError} from './errors.js'
import {argumentHabits, flagHabits} from './habits.js'
import {splitAtSeparator} from './session-line.js'

/** A line with more habits of another tool than this is explained by its first ones. */
const MOST_HABITS = 2

/** A line that oclif's parser appends to its messages; the suggestion replaces it. */
const LIBRARY_POINTER = 'See more help with --help'

/**
 * Translates an error of oclif's parser into an error of envs.
 *
 * @param error - An error of the parser; any other is returned unchanged.
 * @param id - The id of the command, for the suggestion.
 */
export function explainLine(
  error: unknown,
  {argv, flags, id}: {argv: readonly string[]; flags: Interfaces.FlagInput; id: string},
): unknown {
  if (!(error instanceof Errors.CLIError || error instanceof UsageError)) return error
  const message = describeMissing(error) ?? withoutAdvice(error.message)
  const {own} = splitAtSeparator(argv)
  const typed = (own.length < argv.length ? [...own, '--'] : own).filter((word) => !isDeclared(word, flags))
  const habits = [
    ...flagHabits(id, typed).filter((_, index) => index < MOST_HABITS),
    ...argumentHabits(id, own),
  ]
  // A habit says more than the nearest flag.
  return commandLineError(message, id, {habits, meant: habits.length > 0 ? [] : suggestedWords(argv, flags)})
}

function isDeclared(word: string, flags: Interfaces.FlagInput): boolean {
  const [name = ''] = splitOnce(word.slice(word.startsWith('--') ? 2 : 1))
  return name in flags || Object.values(flags).some(({char}) => char === name)
}

/**
 * Describes missing arguments by their descriptions. oclif reports a count and names that help does not show.
 *
 * @returns undefined for other mistakes.
 */
function describeMissing(error: Error): string | undefined {
  if (!('args' in error) || !Array.isArray(error.args)) return undefined
  const missing = error.args.flatMap((argument: string | MissingArgument) =>
    typeof argument === 'string' ? [] : [describeArgument(argument)],
  )
  return missing.length === 0 ? undefined : `Missing: ${missing.join('; ')}.`
}

type MissingArgument = {readonly description?: string; readonly options?: readonly string[]}

function describeArgument({description = '', options}: MissingArgument): string {
  return options === undefined ? description : `${description} (${options.join(', ')})`
}

/** Removes the advice of oclif after the first paragraph, which does not hold for envs. */
function withoutAdvice(message: string): string {
  const [paragraph = ''] = message.split('\n\n')
  const lines = paragraph.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && line !== LIBRARY_POINTER).join(' ')
}

/**
 * Returns corrections of unknown flags and of invalid option values.
 *
 * @returns Words as they would be typed; empty if nothing is similar.
 */
function suggestedWords(argv: readonly string[], flags: Interfaces.FlagInput): string[] {
  const {own} = splitAtSeparator(argv)
  return own.flatMap((word, index) => {
    if (!word.startsWith('--')) return []
    const [name = '', attached] = splitOnce(word.slice(2))
    const flag = flags[name]
    if (flag === undefined) return nearestNames(name, Object.keys(flags)).map((near) => `--${near}`)
    const value = attached ?? own[index + 1]
    const options = flag.type === 'option' ? (flag.options ?? []) : []
    if (value === undefined || options.length === 0 || options.includes(value)) return []
    return nearestNames(value, options).map((near) => `--${name} ${near}`)
  })
}

function splitOnce(word: string): readonly [string, string | undefined] {
  const cut = word.indexOf('=')
  return cut === -1 ? [word, undefined] : [word.slice(0, cut), word.slice(cut + 1)]
}

export {Args, Flags} from '@oclif/core'
