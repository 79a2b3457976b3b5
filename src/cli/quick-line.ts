import {type ParseArgsConfig, parseArgs} from 'node:util'

/** The flags of a line by name, as `node:util` declares them. */
type QuickFlags = Readonly<NonNullable<ParseArgsConfig['options']>>

type QuickLine = {
  readonly flags: Readonly<Record<string, unknown>>
  readonly words: readonly string[]
}

/** `-e=VALUE`: the command library does not count the sign as part of the value. */
const LETTER_WITH_SIGN = /^-[^-]=/

/**
 * Parses the line of a command that has to start faster than the command library loads.
 *
 * @returns undefined for a line with a mistake, or with a flag that is not in `declared`: the command itself parses it.
 */
export function parseQuickLine(argv: readonly string[], declared: QuickFlags): QuickLine | undefined {
  if (argv.some((word) => word === '--' || LETTER_WITH_SIGN.test(word))) return undefined
  try {
    const {values, positionals, tokens} = parseArgs({
      args: [...argv],
      options: declared,
      allowPositionals: true,
      tokens: true,
    })
    const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
    const isRepeated = names.some(
      (name, index) => declared[name]?.multiple !== true && names.indexOf(name) < index,
    )
    return isRepeated ? undefined : {flags: {...values}, words: positionals}
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
