import type {Args as LibraryArgs, Flags as LibraryFlags} from '@oclif/core'
import {UsageError} from '../errors.js'

/** What a command declares of one flag or argument; the library's parser and help read the same. */
type Declared = {
  readonly multiple?: boolean
  readonly allowNo?: boolean
  readonly min?: number
  readonly max?: number
}

const INTEGER = /^-?\d+$/

const asTyped = async (text: unknown): Promise<unknown> => text

async function asInteger(text: string, _context: unknown, {min, max}: Declared): Promise<number> {
  if (!INTEGER.test(text)) throw new UsageError(`Expected an integer but received: ${text}`)
  const number = Number.parseInt(text, 10)
  if (min !== undefined && number < min)
    throw new UsageError(`Expected an integer greater than or equal to ${min} but received: ${text}`)
  if (max !== undefined && number > max)
    throw new UsageError(`Expected an integer less than or equal to ${max} but received: ${text}`)
  return number
}

function takesValue(parse: unknown) {
  return (declared: Declared = {}) => ({
    parse,
    ...declared,
    input: [],
    multiple: declared.multiple === true,
    type: 'option',
  })
}

type FlagKinds = Pick<typeof LibraryFlags, 'boolean' | 'integer' | 'option' | 'string'>

const flags: {readonly [Kind in keyof FlagKinds]: unknown} = {
  boolean: (declared: Declared = {}) => ({
    parse: asTyped,
    ...declared,
    allowNo: declared.allowNo === true,
    type: 'boolean',
  }),
  integer: takesValue(asInteger),
  option: (declared: Declared) => () => takesValue(asTyped)(declared),
  string: takesValue(asTyped),
}

/**
 * Declares flags as the command library does, of its types, without loading it: that takes longer than most commands
 * take to run.
 */
export const Flags = flags as FlagKinds

type ArgumentKinds = Pick<typeof LibraryArgs, 'string'>

const declareArgument: unknown = (declared: Declared = {}) => ({
  parse: asTyped,
  ...declared,
  input: [],
  type: 'option',
})

/** Declares arguments as {@link Flags} does flags. */
export const Args = {string: declareArgument} as ArgumentKinds
