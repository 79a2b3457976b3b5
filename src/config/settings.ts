import {readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {takeLock} from '../host/locks.js'
import {nearestNames} from '../host/nearest.js'
import {configBusyError, configCorruptError, invalidSettingError} from './errors.js'
import {SETTINGS, type SettingDefinition, type SettingName, type SettingValues} from './schema.js'

/** The origin of an effective value. */
export type Origin = 'flag' | 'variable' | 'file' | 'built-in'

export type Effective<Value> = {readonly value: Value; readonly origin: Origin}

/** Values of settings from the command line; undefined without the flag. */
export type FlagTexts = Partial<Readonly<Record<SettingName, string | undefined>>>

/** The effective settings. A value is validated when it is read: an invalid one that is not needed does no harm. */
export type Settings = {
  /** Names in the file that are no settings, with similar names of settings. */
  readonly unknown: readonly UnknownSetting[]
  /** @throws {@link invalidSettingError} */
  effective<Name extends SettingName>(name: Name): Effective<SettingValues[Name]>
  /** @throws {@link invalidSettingError} */
  value<Name extends SettingName>(name: Name): SettingValues[Name]
}

/**
 * Reads the settings. A flag takes precedence over a variable, a variable over the file, the file over the
 * default. An empty variable counts as unset.
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
    const definition: SettingDefinition<SettingValues[Name]> = SETTINGS[name]
    return (
      fromFlag(name, definition, flags[name]) ??
      fromVariable(definition, host.environment[definition.variable]) ??
      fromFile(name, definition, {file, path}) ?? {value: definition.builtIn, origin: 'built-in'}
    )
  }
  return {effective, value: (name) => effective(name).value, unknown: unknownIn(file, path)}
}

export type UnknownSetting = {
  readonly name: string
  readonly nearest: readonly string[]
  readonly path: string
}

function unknownIn(file: JsonObject, path: string): UnknownSetting[] {
  const known = Object.keys(SETTINGS)
  return namesIn(file)
    .filter((name) => !known.includes(name))
    .map((name) => ({name, nearest: nearestNames(name, known), path}))
}

/** Returns the dotted names of all values; a schema for editors is no setting. */
function namesIn(json: JsonObject, prefix = ''): string[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const name = `${prefix}${key}`
    if (name === '$schema') return []
    return isObject(value) && !isSetting(name) ? namesIn(value, `${name}.`) : [name]
  })
}

function isSetting(name: string): boolean {
  return Object.hasOwn(SETTINGS, name)
}

/** A change takes milliseconds: a process that holds the lock longer hangs. */
const WAIT_MS = 10_000

/**
 * Writes a setting to the user's file.
 *
 * @param text - The value as typed.
 * @returns The stored value.
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
 * Removes a setting from the user's file, so that the default applies again.
 *
 * @throws {@link configCorruptError}
 * @throws {@link configBusyError}
 */
export async function clearSetting(host: Pick<Host, 'paths'>, name: SettingName): Promise<void> {
  await changeFile(host, (file) => file.delete(name))
}

type ConfigFile = {set(name: string, value: unknown): void; delete(name: string): void}

/** Changes the file under a lock: conf has none, and two parallel changes would lose one. */
async function changeFile({paths}: Pick<Host, 'paths'>, change: (file: ConfigFile) => void): Promise<void> {
  const path = configPath({paths})
  await makeFolders(dirname(path), {mode: 0o700})
  const lock = await takeLock(`${path}.lock`, {mode: 'exclusive', waitMs: WAIT_MS})
  if (lock === undefined) throw configBusyError({path})
  try {
    // conf's own error about a damaged file does not name the file.
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

/** Reads the text of the file; undefined if there is none. @throws {@link configCorruptError} If it is a folder. */
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
 * Reads the settings in the user's file; empty without a file.
 *
 * @throws {@link configCorruptError} If the file is not a JSON object.
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

/** Returns the value of a dotted name, `a.b` being `{"a": {"b": …}}`; undefined if there is none. */
function valueAt(json: JsonObject, dottedName: string): unknown {
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

/**
 * Parses a value that the user typed.
 *
 * @param where - The origin of the value, for an error.
 * @throws {@link invalidSettingError}
 */
function parseSetting<Value>(
  {kind}: SettingDefinition<Value>,
  text: string,
  where: string,
): Exclude<Value, undefined> {
  const value = kind.parseText(text)
  if (value === undefined) throw invalidSettingError({where, value: text, allowed: kind.allowed})
  return value
}

function fromFlag<Value>(
  name: string,
  definition: SettingDefinition<Value>,
  text: string | undefined,
): Effective<Value> | undefined {
  if (text === undefined) return undefined
  return {value: parseSetting(definition, text, name), origin: 'flag'}
}

function fromVariable<Value>(
  definition: SettingDefinition<Value>,
  text: string | undefined,
): Effective<Value> | undefined {
  if (text === undefined || text === '') return undefined
  return {value: parseSetting(definition, text, definition.variable), origin: 'variable'}
}

function fromFile<Value>(
  name: string,
  {kind}: SettingDefinition<Value>,
  {file, path}: {file: JsonObject; path: string},
): Effective<Value> | undefined {
  const json = valueAt(file, name)
  if (json === undefined) return undefined
  const value = kind.parseJson(json)
  if (value === undefined)
    throw invalidSettingError({where: `${name} in ${path}`, value: showJson(json), allowed: kind.allowed})
  return {value, origin: 'file'}
}

function showJson(json: unknown): string {
  return typeof json === 'string' ? json : JSON.stringify(json)
}

/** A setting as `envs config` shows it; `value` is null if nothing is set and there is no default. */
export type SettingEntry = {
  readonly name: SettingName
  readonly value: string | readonly string[] | null
  readonly origin: Origin
  readonly variable: string
}

/** Returns a setting for `envs config`. @throws {@link invalidSettingError} */
export function settingEntry(settings: Settings, name: SettingName): SettingEntry {
  const {value, origin} = settings.effective(name)
  return {name, value: value ?? null, origin, variable: SETTINGS[name].variable}
}

/** Returns the value as it would be typed; null is empty. */
export function showSettingValue({name, value}: Pick<SettingEntry, 'name' | 'value'>): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : value.join(SETTINGS[name].kind.separator ?? ':')
}
