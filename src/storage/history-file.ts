import {errnoOf, wordsForErrno} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {type JsonFields, parseJsonRecord} from '../host/json-fields.js'
import {readSmallFile} from '../host/small-file.js'
import {HistoryUnreadableError} from './errors.js'
import type {History, Layers, Snapshot} from './history.js'
import {isLayerId, type LayerId} from './layer-id.js'

const SCHEMA_VERSION = 1
/** A thousand snapshots of a hundred layers each; retention removes them long before. */
const MAX_BYTES = 4 * 2 ** 20

/** Writes the history by one rename: before it the old state is valid, after it the new one. */
export async function writeHistory(
  path: string,
  history: History,
  {isSynced = true}: {readonly isSynced?: boolean} = {},
): Promise<void> {
  const snapshots = history.snapshots.map((each) => ({...each, createdAt: each.createdAt.toISOString()}))
  const json = JSON.stringify({schemaVersion: SCHEMA_VERSION, ...history, snapshots}, undefined, 1)
  await writeFileAtomic(path, `${json}\n`, {mode: 0o600, isSynced})
}

/** @throws {HistoryUnreadableError} @throws {NodeJS.ErrnoException} ENOENT when there is none. */
export async function readHistory(path: string): Promise<History> {
  let text: string
  try {
    text = readSmallFile(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined || errno === 'ENOENT') throw error
    throw new HistoryUnreadableError(path, wordsForErrno(errno), error)
  }
  return parseHistory(text, path)
}

/** @param path - Only for the message. @throws {HistoryUnreadableError} */
export function parseHistory(text: string, path: string): History {
  const refuse = (rule: string, cause?: unknown) => new HistoryUnreadableError(path, rule, cause)
  const fields = parseJsonRecord(text, {maxBytes: MAX_BYTES, schemaVersion: SCHEMA_VERSION, refuse})
  return {
    layers: readLayers(fields),
    upper: readLayer(fields, 'upper'),
    snapshots: fields.list('snapshots').map(readSnapshot),
    ...readText(fields, 'after'),
  }
}

function readSnapshot(fields: JsonFields): Snapshot {
  return {
    label: fields.string('label'),
    createdAt: fields.date('createdAt'),
    kind: fields.oneOf('kind', ['manual', 'automatic', 'replaced', 'initial', 'cloned']),
    layers: readLayers(fields),
    ...readText(fields, 'after'),
    ...readText(fields, 'name'),
  }
}

/** Reads an optional field. */
function readText<const Key extends string>(fields: JsonFields, key: Key): {readonly [_ in Key]?: string} {
  const text = fields.orNull(key, (there) => there.string(key))
  if (text === null) return {}
  const read: {[_ in Key]?: string} = {}
  read[key] = text
  return read
}

function readLayers(fields: JsonFields): Layers {
  const [base, ...others] = fields.strings('layers')
  if (base === undefined || !isLayerId(base) || !others.every(isLayerId))
    throw fields.wrong('layers', 'a list of layers')
  return [base, ...others]
}

function readLayer(fields: JsonFields, key: string): LayerId {
  const text = fields.string(key)
  if (!isLayerId(text)) throw fields.wrong(key, 'the name of a layer')
  return text
}
