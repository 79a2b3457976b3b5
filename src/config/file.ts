import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {configCorruptError} from './errors.js'

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
export async function readConfigFile(path: string): Promise<JsonObject> {
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
export function lookUp(json: JsonObject, dottedName: string): unknown {
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
