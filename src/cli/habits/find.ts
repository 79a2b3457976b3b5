import {habitTable, type Steps} from './table.js'

/** Returns next steps for words that are no command: for both of them, else for the first. */
export function wordHabit(first: string, second?: string): readonly string[] {
  const both = second === undefined ? [] : stepsOf(habitTable().words, `${first} ${second}`)
  return both.length > 0 ? both : stepsOf(habitTable().words, first)
}

/** Returns next steps for an option before the command. */
export function leadingHabit(option: string): readonly string[] {
  return stepsOf(habitTable().leading, withoutValue(option))
}

/**
 * Returns next steps for flags that a command does not have.
 *
 * @param id - The id of the command.
 * @param words - Its own arguments, as typed.
 */
export function flagHabits(id: string, words: readonly string[]): string[] {
  const {commonFlags, flags} = habitTable()
  const known = {...commonFlags, ...(Object.hasOwn(flags, id) ? flags[id] : {})}
  return [...new Set(words.flatMap((word) => stepsOf(known, withoutValue(word))))]
}

/** Returns next steps for arguments that a command does not take. */
export function argumentHabits(id: string, words: readonly string[]): readonly string[] {
  const steps = verbHabits(id, words)
  return steps.length > 0 ? steps : stepsOf(habitTable().arguments, id)
}

/** Returns next steps for the verb of another tool in place of the name of an environment. */
export function verbHabits(id: string, words: readonly string[]): readonly string[] {
  const {verbs} = habitTable()
  const known = Object.hasOwn(verbs, id) ? verbs[id] : undefined
  return known !== undefined && words.some((word) => known.verbs.test(word)) ? [known.steps].flat() : []
}

function stepsOf(table: Readonly<Record<string, Steps>>, key: string): readonly string[] {
  return Object.hasOwn(table, key) ? [table[key] ?? []].flat() : []
}

function withoutValue(word: string): string {
  return word.startsWith('-') ? word.replace(/(?<=.)=.*$/s, '') : word
}
