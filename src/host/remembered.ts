import {closeSync, constants, fstatSync, openSync, readFileSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import {writeFileAtomic} from './atomic-file.js'
import {sha256Of} from './digest.js'
import {ignoreFailure} from './errno.js'
import {makeFolders} from './folders.js'
import {jsonObject} from './json-fields.js'

/** Of the files below; one of another version is read as none. */
const FORMAT_VERSION = 1

/** Values in one file of the cache folder, each by a key made of all that decides about it. */
export type Memory<Value> = {
  /** @returns undefined where nothing was remembered, or nothing that can be trusted. */
  recall(key: string): Value | undefined
  /** Remembers it first of all; where that can't be done, it is found out again the next time. */
  remember(key: string, value: Value): Promise<void>
}

type MemoryEntry = {readonly key: string; readonly value: unknown}

/**
 * Opens the memory of what takes long to find out and can be found out again: trials of the host, digests, answers of servers.
 *
 * @param options.isValue - Whether a value is one that this version could have remembered.
 * @param options.most - How many are kept, the last remembered first.
 */
export function openMemory<Value>(
  path: string,
  {isValue, most = 1}: {readonly isValue: (value: unknown) => value is Value; readonly most?: number},
): Memory<Value> {
  return {
    recall(key) {
      const value = readEntries(path).find((entry) => entry.key === key)?.value
      return isValue(value) ? value : undefined
    },
    async remember(key, value) {
      const others = readEntries(path).filter((entry) => entry.key !== key)
      const entries = [{key, value}, ...others.slice(0, most - 1)]
      await writeCacheFile(path, `${JSON.stringify({version: FORMAT_VERSION, entries})}\n`)
    },
  }
}

/** Recalls what a probe came to under the same circumstances, or probes and remembers it. */
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

/** What tells one file from another that takes its place, for a key; `-` where there is none. */
export function fileFacts(path: string | undefined): string {
  const status = path === undefined ? undefined : statSync(path, {throwIfNoEntry: false})
  if (status === undefined) return '-'
  const {dev, ino, size, mode, mtimeMs} = status
  return [path, dev, ino, size, mode, mtimeMs].join(' ')
}

/** Writes a file of the cache folder. Not synced: it can be made again, and where it can't be written, nothing is lost. */
export async function writeCacheFile(path: string, data: string | Uint8Array): Promise<void> {
  try {
    await makeFolders(dirname(path), {mode: 0o700})
    await writeFileAtomic(path, data, {mode: 0o600, isSynced: false})
  } catch (error) {
    ignoreFailure(error)
  }
}

/** Keeps bytes with facts about them: in one file, so that they can't be of two versions, and with a digest that shows damage. */
export function keepBody(path: string, facts: object, body: Buffer): Promise<void> {
  const head = Buffer.from(`${JSON.stringify({...facts, sha256: sha256Of(body)})}\n`)
  return writeCacheFile(path, Buffer.concat([head, body]))
}

/** Reads what {@link keepBody} kept; undefined where there is nothing, or it is damaged. */
export function readBody(
  path: string,
): {readonly facts: Readonly<Record<string, unknown>>; readonly body: Buffer} | undefined {
  const bytes = readOwnFile(path)
  if (bytes === undefined) return undefined
  const end = bytes.indexOf('\n')
  const facts = jsonObject(bytes.toString('utf8', 0, Math.max(end, 0)))
  const body = bytes.subarray(end + 1)
  return facts['sha256'] === sha256Of(body) ? {facts, body} : undefined
}

function readEntries(path: string): MemoryEntry[] {
  const {version, entries} = jsonObject(readOwnFile(path)?.toString('utf8') ?? '')
  return version === FORMAT_VERSION && Array.isArray(entries) ? entries.filter(isMemoryEntry) : []
}

function isMemoryEntry(value: unknown): value is MemoryEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'value' in value &&
    'key' in value &&
    typeof value.key === 'string'
  )
}

/** @returns undefined for what is not there, or what another user could have written: as good as never written. */
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
