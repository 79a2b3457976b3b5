import {SETTINGS, type SettingName} from './schema.js'
import type {Origin, Settings} from './settings.js'

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
