import type {Host} from '../host/host.js'
import {invalidSettingError} from './errors.js'
import {configPath, type JsonObject, lookUp, readConfigFile} from './file.js'
import {type Definition, SETTINGS, type SettingName, type SettingValues} from './schema.js'

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
export function parseSetting<Value>(
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
