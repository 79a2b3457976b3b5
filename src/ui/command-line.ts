import type {Command, Config} from '@oclif/core'
import {UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {UnknownCommandError} from './errors.js'

/** What the words of a command line name: a command with the arguments left to it, or a group of commands. */
export type Found =
  | {
      readonly kind: 'command'
      readonly id: string
      command: Command.Loadable
      readonly rest: readonly string[]
    }
  | {readonly kind: 'topic'; readonly id: string}

/**
 * Finds the command by as many leading words as make a name, aliases included.
 *
 * @throws {UnknownCommandError}
 * @throws {UsageError} When an option stands where the command should.
 */
export function findCommand(config: Config, argv: readonly string[]): Found {
  const [first = ''] = argv
  if (first.startsWith('-'))
    throw new UsageError(`The option ${first} stands before the command.`, [
      `Options come after the command: envs COMMAND ${first}`,
      'envs --help',
    ])
  const words = leadingWords(argv)
  for (let count = words.length; count > 0; count--) {
    const id = words.slice(0, count).join(':')
    const command = config.findCommand(id)
    if (command !== undefined) return {kind: 'command', id: command.id, command, rest: argv.slice(count)}
  }
  if (words.length === 1 && config.findTopic(first) !== undefined) return {kind: 'topic', id: first}
  throw unknownCommand(config, words)
}

/** No name has more words than two; those after it are arguments. */
function leadingWords(argv: readonly string[]): string[] {
  const words = argv.slice(0, 2)
  const option = words.findIndex((word) => word.startsWith('-'))
  return option === -1 ? words : words.slice(0, option)
}

function unknownCommand(config: Config, words: readonly string[]): UnknownCommandError {
  const [first = '', second] = words
  const names = commandNames(config)
  if (second === undefined || config.findTopic(first) === undefined)
    return new UnknownCommandError(first, nearestNames(first, names))
  const siblings = names.filter((name) => name.startsWith(`${first} `))
  const nearest = nearestNames(
    second,
    siblings.map((name) => name.slice(first.length + 1)),
  )
  return new UnknownCommandError(
    `${first} ${second}`,
    nearest.map((name) => `${first} ${name}`),
    first,
  )
}

/** Everything a user may type, words separated by a space: commands, their aliases, groups. */
function commandNames(config: Config): string[] {
  const commands = config.commands.filter((command) => !command.hidden)
  const ids = [
    ...commands.flatMap((command) => [command.id, ...command.hiddenAliases]),
    ...config.topics.map((topic) => topic.name),
  ]
  return [...new Set(ids)].map((id) => id.replaceAll(':', ' '))
}
