import {Errors, type Interfaces} from '@oclif/core'
import {UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {commandLineError} from './errors.js'
import {argumentHabits, flagHabits, verbHabits} from './habits/find.js'
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
  const typed = (own.length < argv.length ? [...own, '--'] : own).filter(
    (word) => !isAccepted(word, flags, own),
  )
  const ofFlags = flagHabits(id, typed).filter((_, index) => index < MOST_HABITS)
  const ofArguments = isUnexpected(error) ? argumentHabits(id, own) : verbHabits(id, own)
  const habits = [...new Set([...ofFlags, ...ofArguments])]
  // A habit says more than the nearest flag.
  return commandLineError(message, id, {habits, meant: habits.length > 0 ? [] : suggestedWords(argv, flags)})
}

/** Returns whether the word is a flag that the command takes as it stands there. */
function isAccepted(word: string, flags: Interfaces.FlagInput, own: readonly string[]): boolean {
  const [name = '', attached] = splitOnce(word.slice(word.startsWith('--') ? 2 : 1))
  const flag = flags[name] ?? Object.values(flags).find(({char}) => char === name)
  if (flag === undefined) return false
  const options = flag.type === 'option' ? (flag.options ?? []) : []
  const value = attached ?? own[own.indexOf(word) + 1] ?? ''
  const needed = (flag.dependsOn ?? []).filter((other) => !own.includes(`--${other}`))
  return needed.length === 0 && (options.length === 0 || options.includes(value))
}

function isUnexpected(error: Error): boolean {
  return 'args' in error && Array.isArray(error.args) && error.args.some((word) => typeof word === 'string')
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
    if (flag === undefined) return nearestNames(name, harmlessFlags(flags)).map((near) => `--${near}`)
    const value = attached ?? own[index + 1]
    const options = flag.type === 'option' ? (flag.options ?? []) : []
    if (value === undefined || options.length === 0 || options.includes(value)) return []
    return nearestNames(value, options).map((near) => `--${name} ${near}`)
  })
}

/** Flags that remove something, or that leave a question out; a typing mistake must not lead to one. */
const NEVER_SUGGESTED: readonly string[] = ['force', 'now', 'remove', 'removed', 'yes']

function harmlessFlags(flags: Interfaces.FlagInput): string[] {
  return Object.keys(flags).filter((name) => !NEVER_SUGGESTED.includes(name))
}

function splitOnce(word: string): readonly [string, string | undefined] {
  const cut = word.indexOf('=')
  return cut === -1 ? [word, undefined] : [word.slice(0, cut), word.slice(cut + 1)]
}

export {Args, Flags} from '@oclif/core'
