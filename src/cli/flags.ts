import type {Interfaces} from '@oclif/core'
import {UsageError} from '../errors.js'
import {DEB_ARCHITECTURES, type DebArchitecture, namedArchitecture} from '../host/arch.js'
import {SESSION_OPTIONS, type SessionOption} from '../sandbox/session-options.js'
import {Args, Flags} from './parse.js'

/** NAME of an environment. oclif would read a missing argument from standard input: never wanted. */
export function nameArg(description = 'name of the environment') {
  return Args.string({description, ignoreStdin: true, required: true})
}

/** NAME where it may be left out. */
export function optionalNameArg(description = 'name of the environment [default: the only one]') {
  return Args.string({description, ignoreStdin: true})
}

/** Name of a setting, as `envs config list` shows it. */
export function settingArg() {
  return Args.string({description: 'name of the setting', ignoreStdin: true, required: true})
}

export function yesFlag() {
  return Flags.boolean({char: 'y', description: 'answer yes to every question', env: 'ENVS_YES'})
}

export function forceFlag(description: string) {
  return Flags.boolean({char: 'f', description})
}

export function newNameFlag(description = 'name of the new environment [default: by the image]') {
  return Flags.string({
    char: 'n',
    description,
    helpValue: 'NAME',
  })
}

export function identityFlag(description = 'kind of users [default: mapped if possible, else emulated]') {
  return Flags.string({description, options: ['auto', 'mapped', 'emulated']})
}

/** dpkg's name of one. */
export function architectureFlag(
  description = "target architecture; foreign ones run under QEMU [default: the host's]",
) {
  return Flags.string({char: 'a', description, options: [...DEB_ARCHITECTURES]})
}

/** The same as it was parsed. */
export function architectureIn({arch}: {arch?: string | undefined}): DebArchitecture | undefined {
  return arch === undefined ? undefined : namedArchitecture(arch)
}

export function storageFlag() {
  return Flags.string({
    description: 'storage of files [default: overlay if possible, else directory]',
    options: ['auto', 'overlay', 'directory'],
  })
}

/** What an old listing needs to be taken; a word of its own, for it gives up a protection. */
export function allowSha1Flag() {
  return Flags.boolean({description: 'accept SHA-1 signatures, which old listings have'})
}

export function dryRunFlag() {
  return Flags.boolean({description: 'show what would be done, without doing it'})
}

/** Declares an option of a session. */
function sessionFlag({letter, doc, value, takes}: SessionOption) {
  const declared = {char: letter, description: doc, helpValue: value}
  return takes === 'one'
    ? Flags.string(declared)
    : Flags.string({...declared, multiple: true, multipleNonGreedy: true})
}

/** The flags of a session, or those of them that are named; `sessionFields` reads them. */
export function sessionFlags(...names: readonly string[]): Interfaces.FlagInput {
  const options = SESSION_OPTIONS.filter(({name}) => names.length === 0 || names.includes(name))
  return Object.fromEntries(options.map((option) => [option.name, sessionFlag(option)]))
}

/** What an image that is made of packages is to hold. */
export function archiveFlags() {
  return {
    include: Flags.string({
      description: 'additional packages, separated by commas',
      helpValue: 'PACKAGE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    variant: Flags.string({
      description: 'required packages, or important ones too [default: minbase]',
      options: ['minbase', 'standard'],
    }),
    components: Flags.string({
      description: 'components of the APT repository [default: main]',
      helpValue: 'COMPONENT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'allow-expired': Flags.boolean({
      description: 'accept an APT repository that is expired or lacks security',
    }),
  }
}

type Wish = {
  readonly variant: 'minbase' | 'standard' | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

/** The same flags as they were parsed. */
export function archiveWish(flags: {
  include?: readonly string[] | undefined
  variant?: string | undefined
  components?: readonly string[] | undefined
  'allow-expired'?: boolean | undefined
}): Wish {
  const {variant, include = [], components = []} = flags
  return {
    variant: variant === 'minbase' || variant === 'standard' ? variant : undefined,
    include,
    components,
    allowExpired: flags['allow-expired'] === true,
  }
}

const HOUR_MS = 3_600_000
const UNITS: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
}

/** Reads `12h`, `7d`, `2w`, or days without a unit. @returns Milliseconds. @throws {UsageError} */
export function parseAge(text: string): number {
  const {count, unit = 'd'} = /^(?<count>\d{1,5})(?<unit>[hdw])?$/.exec(text)?.groups ?? {}
  const unitMs = UNITS[unit]
  if (count === undefined || unitMs === undefined)
    throw new UsageError(`"${text}" is not a valid age.`, ['Write hours, days or weeks: 12h, 7d, 2w'])
  return Number(count) * unitMs
}
