import {UsageError} from '../errors.js'

/** A name that was checked: safe as a file name, a hostname and a word on a command line. */
export type EnvironmentName = string & {readonly __brand: 'EnvironmentName'}

/** A dot or dash can't come first, so that no name is a hidden file, `..`, or an option. */
const FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

export function isEnvironmentName(text: string): text is EnvironmentName {
  return FORM.test(text)
}

/** Whether it can be one that goes by itself: only then a mark of it counts. */
export function isTryName(name: EnvironmentName): boolean {
  return /^try-[1-9]\d{0,5}$/.test(name)
}

/** @throws {UsageError} */
export function parseEnvironmentName(text: string): EnvironmentName {
  if (isEnvironmentName(text)) return text
  throw new UsageError(`"${text}" is not a valid name for an environment.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}
