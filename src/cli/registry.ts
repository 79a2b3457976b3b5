import {type EnvsError, UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {unknownCommandError} from './errors.js'

/** What is known of a command before it is loaded. */
export type CommandEntry = {
  /** The words of its name, separated by `:`. */
  readonly id: string
  readonly aliases: readonly string[]
  /** Never suggested. */
  readonly isHidden: boolean
  readonly load: () => Promise<{readonly default: RunnableCommand}>
}

export type RunnableCommand = {start(argv: readonly string[], id: string): Promise<void>}

/** All that can be typed after `envs`; made by scripts/build.mjs of the files in commands/. */
export type CommandTable = {
  readonly commands: readonly CommandEntry[]
  /** Names of the groups of commands. */
  readonly topics: readonly string[]
}

/** What the words of a command line name: a command with the arguments left to it, or a group of commands. */
export type Found =
  | {readonly kind: 'command'; readonly entry: CommandEntry; readonly rest: readonly string[]}
  | {readonly kind: 'topic'; readonly id: string}

/**
 * Finds the command by as many leading words as make a name, aliases included.
 *
 * @throws {@link unknownCommandError}
 * @throws {UsageError} When an option stands where the command should.
 */
export function findCommand(table: CommandTable, argv: readonly string[]): Found {
  const [first = ''] = argv
  if (first.startsWith('-'))
    throw new UsageError(`The option ${first} is before the command.`, [
      ...nearestNames(first, ['--version']).map((option) => `envs ${option}`),
      `Options come after the command: envs COMMAND ${first}`,
      'envs --help',
    ])
  const words = leadingWords(argv)
  for (let count = words.length; count > 0; count--) {
    const id = words.slice(0, count).join(':')
    const entry = table.commands.find((command) => command.id === id || command.aliases.includes(id))
    if (entry !== undefined) return {kind: 'command', entry, rest: argv.slice(count)}
  }
  if (words.length === 1 && table.topics.includes(first)) return {kind: 'topic', id: first}
  throw unknownCommand(table, words)
}

/** No name has more words than two; those after it are arguments. */
function leadingWords(argv: readonly string[]): string[] {
  const words = argv.slice(0, 2)
  const option = words.findIndex((word) => word.startsWith('-'))
  return option === -1 ? words : words.slice(0, option)
}

function unknownCommand(table: CommandTable, words: readonly string[]): EnvsError {
  const [first = '', second] = words
  const names = commandNames(table)
  if (second === undefined || !table.topics.includes(first)) {
    const nearest = nearestNames(first, [...names, 'version'])
    const meant = nearest.map((name) => `envs ${name === 'version' ? '--version' : name}`)
    return unknownCommandError({name: first}, {hints: meant})
  }
  const siblings = names.filter((name) => name.startsWith(`${first} `))
  const nearest = nearestNames(
    second,
    siblings.map((name) => name.slice(first.length + 1)),
  )
  const meant = nearest.map((name) => `envs ${first} ${name}`)
  return unknownCommandError({name: `${first} ${second}`}, {suggestions: [...meant, `envs ${first} --help`]})
}

/** Everything a user may type, words separated by a space: commands, their aliases, groups. */
function commandNames({commands, topics}: CommandTable): string[] {
  const shown = commands.filter(({isHidden}) => !isHidden)
  const ids = [...shown.flatMap(({id, aliases}) => [id, ...aliases]), ...topics]
  return [...new Set(ids)].map((id) => id.replaceAll(':', ' '))
}
