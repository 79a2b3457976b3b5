import {Errors, type Interfaces} from '@oclif/core'
import {UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {commandLineError} from './errors.js'
import {splitAtSeparator} from './session-line.js'

/** A line that the library's parser adds to its messages; the suggestion says it better. */
const LIBRARY_POINTER = 'See more help with --help'

/**
 * Explains what is wrong with a command line in the words of envs.
 *
 * @param error - Of the library's parser; any other is returned as it is.
 * @param id - The command's, for the suggestion.
 */
export function explainLine(
  error: unknown,
  {argv, flags, id}: {argv: readonly string[]; flags: Interfaces.FlagInput; id: string},
): unknown {
  if (!(error instanceof Errors.CLIError || error instanceof UsageError)) return error
  const message = describeMissing(error) ?? withoutAdvice(error.message)
  return commandLineError(message, id, meantWords(argv, flags))
}

/**
 * Arguments that are missing, by what they are. The library tells them by a count and by names that help does not show.
 *
 * @returns undefined for other mistakes: of an argument too many the library has the word alone.
 */
function describeMissing(error: Error): string | undefined {
  if (!('args' in error) || !Array.isArray(error.args)) return undefined
  const missing = error.args.flatMap((argument: string | Argument) =>
    typeof argument === 'string' ? [] : [describeArgument(argument)],
  )
  return missing.length === 0 ? undefined : `Missing: ${missing.join('; ')}.`
}

type Argument = {readonly description?: string; readonly options?: readonly string[]}

function describeArgument({description = '', options}: Argument): string {
  return options === undefined ? description : `${description} (${options.join(', ')})`
}

/** Later paragraphs are the library's advice, which does not hold for our flags. */
function withoutAdvice(message: string): string {
  const [paragraph = ''] = message.split('\n\n')
  const lines = paragraph.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && line !== LIBRARY_POINTER).join(' ')
}

/**
 * What was most likely meant by the flags that nobody declared, and by values that are none of those there are.
 *
 * @returns As they would be typed; empty where nothing looks like it.
 */
function meantWords(argv: readonly string[], flags: Interfaces.FlagInput): string[] {
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
