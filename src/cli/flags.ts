import type {Interfaces} from '@oclif/core'
import {parseCondition} from '../environments/boot/condition.js'
import {requireConsistent} from '../environments/network/settings.js'
import {UsageError} from '../errors.js'
import {DEB_ARCHITECTURES, type DebArchitecture, namedArchitecture} from '../host/machine/arch.js'
import {parseAllowedHost, parseAllowedNetwork} from '../sandbox/network/allowed.js'
import {parsePublication} from '../sandbox/network/publication.js'
import {SESSION_OPTIONS, type SessionOption} from '../sandbox/session-options.js'
import {type EnvironmentSettings, INIT_KINDS, type InitKind, NETWORK_KINDS} from '../store/record.js'
import {Args, Flags} from './parse.js'

/** Declares the argument NAME of an environment; never read from standard input, as oclif does by default. */
export function nameArg(description = 'name of the environment') {
  return Args.string({description, ignoreStdin: true, required: true})
}

/** Declares the argument NAME if it is optional. */
export function optionalNameArg(description = 'name of the environment [default: the only one]') {
  return Args.string({description, ignoreStdin: true})
}

/** Declares the argument for the name of a setting. */
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

/** Declares `--arch`, with dpkg's names. */
export function architectureFlag(
  description = "target architecture; foreign ones run under QEMU [default: the host's]",
) {
  return Flags.string({char: 'a', description, options: [...DEB_ARCHITECTURES]})
}

/** Returns the parsed value of {@link architectureFlag}. */
export function architectureIn({arch}: {arch?: string | undefined}): DebArchitecture | undefined {
  return arch === undefined ? undefined : namedArchitecture(arch)
}

export function initFlag() {
  return Flags.string({
    description: 'first process, which starts services [default: none]',
    options: [...INIT_KINDS, 'auto'],
  })
}

/** Returns the parsed value of {@link initFlag}. */
export function initIn({init}: {init?: string | undefined}): InitKind | 'auto' | undefined {
  return init === 'auto' ? init : INIT_KINDS.find((kind) => kind === init)
}

/** Declares the flags of the network of a new environment. */
export function networkFlags() {
  return {
    network: Flags.string({
      description: "the host's network, or one of its own [default: host]",
      options: [...NETWORK_KINDS],
    }),
    publish: Flags.string({
      description: 'port of the host that leads to a port of the environment',
      helpValue: '[ADDRESS:]PORT:GUEST',
      multiple: true,
      multipleNonGreedy: true,
    }),
    allow: Flags.string({
      description: 'network or address that a private network leads to [default: all]',
      helpValue: 'NETWORK',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'allow-host': Flags.string({
      description: 'host that the network none leads to, by HTTP or HTTPS [default: none]',
      helpValue: 'HOST',
      multiple: true,
      multipleNonGreedy: true,
    }),
  }
}

/** Returns the parsed values of {@link networkFlags}, as settings of the environment. @throws {UsageError} */
export function networkIn({
  network,
  publish = [],
  allow = [],
  'allow-host': hosts = [],
}: {
  network?: string | undefined
  publish?: readonly string[] | undefined
  allow?: readonly string[] | undefined
  'allow-host'?: readonly string[] | undefined
}): EnvironmentSettings {
  const kind = NETWORK_KINDS.find((each) => each === network)
  const settings = {
    ...(kind === undefined || kind === 'host' ? {} : {network: kind}),
    ...(publish.length === 0 ? {} : {publish: publish.map(parsePublication)}),
    ...(allow.length === 0 ? {} : {allow: allow.map(parseAllowedNetwork)}),
    ...(hosts.length === 0 ? {} : {allowHosts: hosts.map(parseAllowedHost)}),
  }
  requireConsistent(undefined, settings)
  return settings
}

export function storageFlag() {
  return Flags.string({
    description: 'storage of files [default: overlay if possible, else directory]',
    options: ['auto', 'overlay', 'directory'],
  })
}

/** Declares `--allow-sha1`, which old listings need. It weakens the verification. */
export function allowSha1Flag() {
  return Flags.boolean({description: 'accept SHA-1 signatures, which old listings have'})
}

export function offlineFlag() {
  return Flags.boolean({description: 'ask no server, and use what is on this host'})
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

/** Declares the flags of a session, all or the named ones; `sessionFields` reads them. */
export function sessionFlags(...names: readonly string[]): Interfaces.FlagInput {
  const options = SESSION_OPTIONS.filter(({name}) => names.length === 0 || names.includes(name))
  return Object.fromEntries(options.map((option) => [option.name, sessionFlag(option)]))
}

/** Declares the flag of signatures that an image of a registry must have. */
export function verifyFlag() {
  return Flags.string({
    description: 'who must have signed an image of a registry: a public key, or issuer=URL,identity=NAME',
    helpValue: 'KEY|IDENTITY',
    multiple: true,
    multipleNonGreedy: true,
  })
}

/** Declares the flags of an image that is built from packages. */
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

type ArchiveOptions = {
  readonly variant: 'minbase' | 'standard' | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

/** Returns the parsed values of {@link archiveFlags}. */
export function archiveOptions(flags: {
  include?: readonly string[] | undefined
  variant?: string | undefined
  components?: readonly string[] | undefined
  'allow-expired'?: boolean | undefined
}): ArchiveOptions {
  const {variant, include = [], components = []} = flags
  return {
    variant: variant === 'minbase' || variant === 'standard' ? variant : undefined,
    include,
    components,
    allowExpired: flags['allow-expired'] === true,
  }
}

/** Declares `--timings`, which the base command reads. */
export function timingsFlag() {
  return Flags.boolean({description: 'print the time, size and rate of each phase at the end'})
}

/** Declares `--wait` of a command that waits for others which use the same environment. */
export function waitFlag() {
  return Flags.string({
    description: 'longest wait for commands that use the same environment [default: 60s]',
    default: '60s',
    helpValue: 'TIME',
    env: 'ENVS_WAIT',
  })
}

/** Declares the flags of a command that boots an environment. */
export function bootFlags() {
  return {
    wait: Flags.string({
      description: 'wait for port:NUMBER[/udp], or for a unit, too',
      helpValue: 'CONDITION',
      multiple: true,
      multipleNonGreedy: true,
    }),
    timeout: Flags.string({
      description: 'longest wait [default: 90s]',
      default: '90s',
      helpValue: 'TIME',
    }),
  }
}

/** Returns the parsed values of {@link bootFlags}. @throws {UsageError} */
export function bootRequest({wait = [], timeout}: {wait?: readonly string[] | undefined; timeout: string}) {
  return {conditions: wait.map(parseCondition), timeoutMs: parseWait(timeout)}
}

const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS
const DAY_MS = 24 * HOUR_MS

/** Parses the value of {@link waitFlag}: `0`, `30s`, `5m`, `1h`. @returns Milliseconds. @throws {UsageError} */
export function parseWait(text: string): number {
  const units = {s: SECOND_MS, m: 60 * SECOND_MS, h: HOUR_MS}
  return parseTime(text, units, ['is not a valid time', 'Write seconds, minutes or hours: 30s, 5m, 1h'])
}

/** Parses an age: `0`, `12h`, `7d`, `2w`. @returns Milliseconds. @throws {UsageError} */
export function parseAge(text: string): number {
  const units = {h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS}
  return parseTime(text, units, ['is not a valid age', 'Write hours, days or weeks: 12h, 7d, 2w'])
}

/** Parses a time of the past: `30s`, `10m`, `2h`, `1d` ago, or a date with or without a time, local unless it has a zone. @throws {UsageError} */
export function parseSince(text: string, now: Date): Date {
  const units = {s: SECOND_MS, m: 60 * SECOND_MS, h: HOUR_MS, d: DAY_MS}
  const problem = ['is not a valid time', 'Write 30s, 10m, 2h or 1d, or a date: 2026-01-31T08:00'] as const
  if (!text.includes('-')) return new Date(now.getTime() - parseTime(text, units, problem))
  const date = new Date(DATE_ONLY.test(text) ? `${text}T00:00` : text)
  if (Number.isNaN(date.getTime())) throw new UsageError(`"${text}" ${problem[0]}.`, [problem[1]])
  return date
}

/** ECMAScript takes a date without a time for one of UTC. */
const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/

/** A number without a unit is refused, unless it is 0: programs differ in what they take it for. */
function parseTime(
  text: string,
  units: Readonly<Record<string, number>>,
  [problem, nextStep]: readonly [problem: string, nextStep: string],
): number {
  if (text === '0') return 0
  const {count, unit = ''} = /^(?<count>\d{1,5})(?<unit>[a-z])$/.exec(text)?.groups ?? {}
  const unitMs = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (count === undefined || unitMs === undefined) throw new UsageError(`"${text}" ${problem}.`, [nextStep])
  return Number(count) * unitMs
}
