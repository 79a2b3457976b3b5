import {readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {takeLock} from '../host/locks.js'
import {configBusyError, configCorruptError, invalidSettingError} from './errors.js'
import {type Definition, SETTINGS, type SettingName, type SettingValues} from './schema.js'

/** A change takes milliseconds; who holds the lock longer than this hangs. */
const WAIT_MS = 10_000

/**
 * Writes a setting to the user's file.
 *
 * @param text - The value as typed.
 * @returns The value as it is kept.
 * @throws {@link invalidSettingError}
 * @throws {@link configCorruptError}
 * @throws {@link configBusyError}
 */
export async function storeSetting<Name extends SettingName>(
  host: Pick<Host, 'paths'>,
  name: Name,
  text: string,
): Promise<Exclude<SettingValues[Name], undefined>> {
  const value = parseSetting<SettingValues[Name]>(SETTINGS[name], text, name)
  await changeFile(host, (file) => file.set(name, value))
  return value
}

/**
 * Takes a setting out of the user's file, so that the built-in value holds again.
 *
 * @throws {@link configCorruptError}
 * @throws {@link configBusyError}
 */
export async function clearSetting(host: Pick<Host, 'paths'>, name: SettingName): Promise<void> {
  await changeFile(host, (file) => file.delete(name))
}

type ConfigFile = {set(name: string, value: unknown): void; delete(name: string): void}

/** conf reads, changes and writes the file without a lock of its own: two at once would lose a change. */
async function changeFile({paths}: Pick<Host, 'paths'>, change: (file: ConfigFile) => void): Promise<void> {
  const path = configPath({paths})
  await makeFolders(dirname(path), {mode: 0o700})
  const lock = await takeLock(`${path}.lock`, {mode: 'exclusive', waitMs: WAIT_MS})
  if (lock === undefined) throw configBusyError({path})
  try {
    // conf's own complaint about a damaged file doesn't name it.
    await readConfigFile(path)
    const {default: Conf} = await import('conf')
    change(
      new Conf({
        cwd: paths.config,
        clearInvalidConfig: false,
        configFileMode: 0o600,
        configName: 'config',
        fileExtension: 'json',
        projectName: 'envs',
      }),
    )
  } finally {
    lock.release()
  }
}

export type JsonObject = Readonly<Record<string, unknown>>

export function configPath({paths}: Pick<Host, 'paths'>): string {
  return join(paths.config, 'config.json')
}

/** The file as it is; undefined where there is none. @throws {@link configCorruptError} When it is a folder. */
export async function readConfigText(path: string): Promise<string | undefined> {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    if (isErrno(error, 'EISDIR')) throw configCorruptError({path, reason: 'it is a folder'}, {cause: error})
    throw error
  }
}

/**
 * The user's settings as they stand in the file; no file is no settings.
 *
 * @throws {@link configCorruptError} When the file is not a JSON object.
 */
async function readConfigFile(path: string): Promise<JsonObject> {
  const text = await readConfigText(path)
  if (text === undefined) return {}
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw configCorruptError({path, reason: 'it is not JSON'}, {cause: error})
  }
  if (!isObject(json)) throw configCorruptError({path, reason: 'it is not a JSON object'})
  return json
}

/** What stands under a dotted name, `a.b` being `{"a": {"b": …}}`; undefined when nothing does. */
function lookUp(json: JsonObject, dottedName: string): unknown {
  let value: unknown = json
  for (const key of dottedName.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined
    value = value[key]
  }
  return value
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** Where the value in force was set. */
export type Origin = 'flag' | 'variable' | 'file' | 'built-in'

export type Effective<Value> = {readonly value: Value; readonly origin: Origin}

/** What was typed on the command line for a setting; undefined where the flag was not given. */
export type FlagTexts = Partial<Readonly<Record<SettingName, string | undefined>>>

/** The settings in force. Each is checked when it is asked for: a wrong one nobody needs does no harm. */
export type Settings = {
  /** @throws {@link invalidSettingError} */
  effective<Name extends SettingName>(name: Name): Effective<SettingValues[Name]>
  /** @throws {@link invalidSettingError} */
  value<Name extends SettingName>(name: Name): SettingValues[Name]
}

/**
 * Reads the settings: a flag goes before a variable, that before the file, that before what is built in.
 * An empty variable counts as unset.
 *
 * @throws {@link configCorruptError}
 */
export async function readSettings(
  host: Pick<Host, 'paths' | 'environment'>,
  flags: FlagTexts = {},
): Promise<Settings> {
  const path = configPath(host)
  const file = await readConfigFile(path)
  const effective = <Name extends SettingName>(name: Name): Effective<SettingValues[Name]> => {
    const definition: Definition<SettingValues[Name]> = SETTINGS[name]
    return (
      fromFlag(name, definition, flags[name]) ??
      fromVariable(definition, host.environment[definition.variable]) ??
      fromFile(name, definition, {file, path}) ?? {value: definition.builtIn, origin: 'built-in'}
    )
  }
  return {effective, value: (name) => effective(name).value}
}

/**
 * What the user typed for a setting, as a value.
 *
 * @param where - How to name the place in an error.
 * @throws {@link invalidSettingError}
 */
function parseSetting<Value>(
  {kind}: Definition<Value>,
  text: string,
  where: string,
): Exclude<Value, undefined> {
  const value = kind.parseText(text)
  if (value === undefined) throw invalidSettingError({where, value: text, allowed: kind.allowed})
  return value
}

function fromFlag<Value>(
  name: string,
  definition: Definition<Value>,
  text: string | undefined,
): Effective<Value> | undefined {
  if (text === undefined) return undefined
  return {value: parseSetting(definition, text, name), origin: 'flag'}
}

function fromVariable<Value>(
  definition: Definition<Value>,
  text: string | undefined,
): Effective<Value> | undefined {
  if (text === undefined || text === '') return undefined
  return {value: parseSetting(definition, text, definition.variable), origin: 'variable'}
}

function fromFile<Value>(
  name: string,
  {kind}: Definition<Value>,
  {file, path}: {file: JsonObject; path: string},
): Effective<Value> | undefined {
  const json = lookUp(file, name)
  if (json === undefined) return undefined
  const value = kind.parseJson(json)
  if (value === undefined)
    throw invalidSettingError({where: `${name} in ${path}`, value: showJson(json), allowed: kind.allowed})
  return {value, origin: 'file'}
}

function showJson(json: unknown): string {
  return typeof json === 'string' ? json : JSON.stringify(json)
}

/** A setting as `envs config` tells of it; `value` is null where nothing is set and nothing built in. */
export type SettingEntry = {
  readonly name: SettingName
  readonly value: string | readonly string[] | null
  readonly origin: Origin
  readonly variable: string
}

/** @throws {@link invalidSettingError} */
export function settingEntry(settings: Settings, name: SettingName): SettingEntry {
  const {value, origin} = settings.effective(name)
  return {name, value: value ?? null, origin, variable: SETTINGS[name].variable}
}

/** The value as it would be typed: lists separated by `:`, nothing for null. */
export function showSettingValue(value: SettingEntry['value']): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : value.join(':')
}
