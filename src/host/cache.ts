import {closeSync, constants, fstatSync, openSync, readFileSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import * as v from 'valibot'
import {sha256Of} from './digest.js'
import {ignoreFailure} from './errno.js'
import {makeFolders, writeFileAtomic} from './files.js'
import {ifValid, parseIfValid, type RecordOf, sha256Field} from './records.js'

/** Version of the cache files; a file of another version is ignored. */
const FORMAT_VERSION = 1

/** Values in one cache file, each with a key of all inputs that decide about it. */
export type Memory<Value> = {
  /** @returns undefined if nothing valid was remembered. */
  recall(key: string): Value | undefined
  /** Stores a value as the newest; if that fails, it is determined again next time. */
  remember(key: string, value: Value): Promise<void>
  forget(key: string): Promise<void>
}

const memorySchema = v.object({
  version: v.literal(FORMAT_VERSION),
  entries: v.array(v.object({key: v.string(), value: v.unknown()})),
})

/**
 * Opens a file of values that are expensive to determine: probe results, digests, server responses.
 *
 * @param options.schema - Schema of valid values; any other value is ignored.
 * @param options.most - Maximum number of values; the newest stay.
 */
export function openMemory<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  {schema, most = 1}: {readonly schema: Schema; readonly most?: number},
): Memory<RecordOf<Schema>> {
  const without = (key: string) => readEntries(path).filter((entry) => entry.key !== key)
  const write = (entries: readonly unknown[]) =>
    writeCacheFile(path, `${JSON.stringify({version: FORMAT_VERSION, entries})}\n`)
  return {
    recall(key) {
      const found = readEntries(path).find((entry) => entry.key === key)
      return found === undefined ? undefined : ifValid(found.value, schema)
    },
    remember: (key, value) => write([{key, value}, ...without(key).slice(0, most - 1)]),
    forget: (key) => write(without(key)),
  }
}

/** Returns the remembered result of a probe, or runs the probe and remembers its result. */
export async function probeOnce<Value>(
  memory: Memory<Value>,
  key: string,
  probe: () => Promise<Value>,
): Promise<Value> {
  const known = memory.recall(key)
  if (known !== undefined) return known
  const value = await probe()
  await memory.remember(key, value)
  return value
}

/** Returns the identity and metadata of a file, for a cache key; `-` if there is no file. */
export function fileFacts(path: string | undefined): string {
  const status = path === undefined ? undefined : statSync(path, {throwIfNoEntry: false})
  if (status === undefined) return '-'
  const {dev, ino, size, mode, mtimeMs} = status
  return [path, dev, ino, size, mode, mtimeMs].join(' ')
}

/** Writes a cache file. It is not synced, and errors are ignored, because it can be determined again. */
export async function writeCacheFile(path: string, data: string | Uint8Array): Promise<void> {
  try {
    await makeFolders(dirname(path), {mode: 0o700})
    await writeFileAtomic(path, data, {mode: 0o600, isSynced: false})
  } catch (error) {
    ignoreFailure(error)
  }
}

/**
 * Caches bytes with facts about them: in one file, so both have the same version, and with a digest that detects
 * damage.
 */
export function keepBody(path: string, facts: object, body: Buffer): Promise<void> {
  const head = Buffer.from(`${JSON.stringify({...facts, sha256: sha256Of(body)})}\n`)
  return writeCacheFile(path, Buffer.concat([head, body]))
}

/** Reads a file of {@link keepBody}; undefined if it is missing or damaged, or its facts do not match the schema. */
export function readBody<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  schema: Schema,
): {readonly facts: RecordOf<Schema>; readonly body: Buffer} | undefined {
  const bytes = readOwnFile(path)
  if (bytes === undefined) return undefined
  const end = Math.max(bytes.indexOf('\n'), 0)
  const head = bytes.toString('utf8', 0, end)
  const body = bytes.subarray(end + 1)
  const facts = parseIfValid(head, schema)
  const sha256 = parseIfValid(head, v.object({sha256: sha256Field}))?.sha256
  return facts !== undefined && sha256 === sha256Of(body) ? {facts, body} : undefined
}

function readEntries(path: string) {
  return parseIfValid(readOwnFile(path)?.toString('utf8') ?? '', memorySchema)?.entries ?? []
}

/** Reads a file of this user. @returns undefined if it is missing, or another user could have written it. */
function readOwnFile(path: string): Buffer | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const status = fstatSync(fd)
    const isOwn = status.isFile() && status.uid === process.geteuid?.() && (status.mode & 0o022) === 0
    return isOwn ? readFileSync(fd) : undefined
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
