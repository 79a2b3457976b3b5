import {Errors, Parser} from '@oclif/core'
import {UsageError} from '../errors.js'
import {CommandLineError} from './errors.js'
import {meantWords} from './meant-words.js'
import type {LineDeclarations, PlainLine} from './plain-line.js'

/** A line that the library's parser adds to its messages; the suggestion says it better. */
const LIBRARY_POINTER = 'See more help with --help'

/**
 * Parses any line, and says what is wrong with it.
 *
 * @param id - The command's, for the suggestion.
 * @throws {CommandLineError}
 */
export async function parseByLibrary(
  argv: readonly string[],
  declarations: LineDeclarations,
  id: string,
): Promise<PlainLine> {
  try {
    // Its types tell flags of each kind apart, of which nothing is known here.
    const input = declarations as Parameters<typeof Parser.parse>[1]
    return await Parser.parse([...argv], input)
  } catch (error) {
    if (!(error instanceof Errors.CLIError || error instanceof UsageError)) throw error
    throw new CommandLineError(withoutAdvice(error.message), id, meantWords(argv, declarations))
  }
}

/** Later paragraphs are the library's advice, which does not hold for our flags. */
function withoutAdvice(message: string): string {
  const [paragraph = ''] = message.split('\n\n')
  const lines = paragraph.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && line !== LIBRARY_POINTER).join(' ')
}
