import {closeSync, constants, fstatSync, openSync, readFileSync, statSync} from 'node:fs'
import {release} from 'node:os'
import {dirname, join} from 'node:path'
import * as v from 'valibot'
import {sha256Of} from './digest.js'
import {ignoreFailure} from './errno.js'
import {makeFolders, writeFileAtomic} from './files.js'
import type {Host} from './host.js'
import {
  findIdMapper,
  type IdMapper,
  type MapperHost,
  type MappingProbe,
  probeMapped,
  unshareMapper,
} from './id-mapping.js'
import {ifValid, oneOfField, parseIfValid, type RecordOf, sha256Field} from './records.js'

/** `cache`: where what trials came to is kept; without it each is done anew. */
export type KnowingHost = MapperHost & {readonly paths?: Pick<Host['paths'], 'cache'>}

/** What of the kernel and of this process decides whether ids can be mapped. */
const CIRCUMSTANCES = [
  '/proc/sys/kernel/random/boot_id',
  '/proc/sys/user/max_user_namespaces',
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  '/proc/self/uid_map',
  '/proc/self/attr/current',
]

const PROGRAMS = ['unshare', 'newuidmap', 'newgidmap', 'perl']

/** As `probeMapped`, but without a trial where one has succeeded under the same circumstances. */
export async function findMapping(host: KnowingHost): Promise<MappingProbe> {
  const way = recallWay(host)
  if (way !== undefined) return {works: true, way}
  const probe = await probeMapped(host)
  if (probe.works && host.paths !== undefined)
    await memoryOf(host.paths).remember(circumstancesOf(host), probe.way)
  return probe
}

/** As `findIdMapper`, but without asking unshare(1) what it knows where that is known. */
export async function knownIdMapper(host: KnowingHost): Promise<IdMapper | undefined> {
  const unshare = recallWay(host) === 'unshare' ? host.which('unshare') : undefined
  return unshare === undefined ? findIdMapper(host) : unshareMapper(unshare)
}

/** That it failed is never kept: the next command sees at once that the host was repaired. */
function recallWay(host: KnowingHost): IdMapper['way'] | undefined {
  return host.paths === undefined ? undefined : memoryOf(host.paths).recall(circumstancesOf(host))
}

function memoryOf({cache}: Pick<Host['paths'], 'cache'>): Memory<IdMapper['way']> {
  return openMemory(join(cache, 'id-mapping.json'), {schema: oneOfField(['unshare', 'newuidmap'])})
}

function circumstancesOf({which, uid, gid}: MapperHost): string {
  const status = readIfThere('/proc/self/status') ?? ''
  return [
    ...[release(), uid, gid],
    ...CIRCUMSTANCES.map(readIfThere),
    ...(status.match(/^(?:NoNewPrivs|Seccomp|CapBnd):.*$/gm) ?? []),
    ...['/etc/subuid', '/etc/subgid', ...PROGRAMS.map(which)].map(fileFacts),
  ].join('\n')
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Of the files below; one of another version is read as none. */
const FORMAT_VERSION = 1

/** Values in one file of the cache folder, each by a key made of all that decides about it. */
export type Memory<Value> = {
  /** @returns undefined where nothing was remembered, or nothing that can be trusted. */
  recall(key: string): Value | undefined
  /** Remembers it first of all; where that can't be done, it is found out again the next time. */
  remember(key: string, value: Value): Promise<void>
}

const memorySchema = v.object({
  version: v.literal(FORMAT_VERSION),
  entries: v.array(v.object({key: v.string(), value: v.unknown()})),
})

/**
 * Opens the memory of what takes long to find out and can be found out again: trials of the host, digests, answers of servers.
 *
 * @param options.schema - Of a value that this version could have remembered; any other is as never remembered.
 * @param options.most - How many are kept, the last remembered first.
 */
export function openMemory<Schema extends v.GenericSchema<unknown, unknown>>(
  path: string,
  {schema, most = 1}: {readonly schema: Schema; readonly most?: number},
): Memory<RecordOf<Schema>> {
  return {
    recall(key) {
      const found = readEntries(path).find((entry) => entry.key === key)
      return found === undefined ? undefined : ifValid(found.value, schema)
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

/** Reads what {@link keepBody} kept; undefined where there is nothing, or it is damaged, or its facts are not of the schema. */
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
