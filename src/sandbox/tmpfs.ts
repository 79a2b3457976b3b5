import {closeSync, openSync, readFileSync} from 'node:fs'
import {readdir, rm, statfs} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {bootId, inheritableDescriptors, processStartTime} from '../host/proc.js'
import {pipeOf, start, started} from '../host/process.js'
import {type Anchor, parseState} from './anchor-state.js'

/** Notes that what lies at a folder is in memory. @param key - Names that folder; a file name's part. */
export async function recordMemory(
  runFolder: string,
  key: string,
  {pid, startTime}: MemoryHolder,
): Promise<void> {
  const state = {schemaVersion: 1, pid, startTime, bootId: bootId()}
  await writeFileAtomic(stateFile(runFolder, key), `${JSON.stringify(state)}\n`, {
    mode: 0o600,
    isSynced: false,
  })
}

/** @returns undefined for files that were never in memory, and `lost` for those that were. */
export function readMemory(runFolder: string, key: string): MemoryHolder | 'lost' | undefined {
  const text = readIfThere(stateFile(runFolder, key))
  if (text === undefined) return undefined
  const state = parseState(text)
  if (state === undefined) return 'lost'
  const {pid, startTime} = state
  const isLive = state.bootId === bootId() && processStartTime(pid) === startTime
  return isLive ? {pid, startTime} : 'lost'
}

/** Gives the memory back, unless something still runs on the files. */
export async function dropMemory(runFolder: string): Promise<void> {
  for (const name of (await readdir(runFolder).catch(ignoring('ENOENT'))) ?? []) {
    if (!name.startsWith(PREFIX)) continue
    const holder = readMemory(runFolder, name.slice(PREFIX.length))
    if (holder !== undefined && holder !== 'lost') await endMemory(holder)
    await rm(join(runFolder, name), {force: true})
  }
}

const PREFIX = 'memory.'

function stateFile(runFolder: string, key: string): string {
  return join(runFolder, `${PREFIX}${key}`)
}

function readIfThere(path: string): string | undefined {
  return unlessErrno(() => readFileSync(path, 'utf8'), 'ENOENT')
}

/** A process in whose mount namespace a file system in memory lies over a folder; it goes with the last who sees it. */
export type MemoryHolder = Anchor

export type MemoryPlan = {
  /** Words that make the user namespace the files belong to. */
  readonly prefix: readonly string[]
  readonly unshare: string
  readonly mount: string
  /** The folder it lies over; it gets the folders `tree` and `work`. */
  readonly at: string
  /** Of `tree`. */
  readonly mode: number
  readonly bytes: number
  /** How long the files outlive the process that asks for them; milliseconds. */
  readonly keptForMs: number
  readonly environment: NodeJS.ProcessEnv
}

/** Of a file system in memory that is not to hold more than its size in empty files either. */
const BYTES_PER_INODE = 4096

/** $1 options, $2 folder, $3 mode, $4 seconds. Its input ends with the process that asked. */
const HOLD = `mount=$0
"$mount" -t tmpfs -o "$1" envs "$2" && mkdir -m "$3" "$2/tree" && mkdir -m 700 "$2/work" || exit
echo $$
exec >/dev/null
read -r _
exec sleep "$4"`

/** Mounts a file system in memory where nobody else sees it. @returns undefined where that can't be. */
export async function holdMemory(plan: MemoryPlan): Promise<MemoryHolder | undefined> {
  const {prefix, unshare, mount, at, mode, bytes, keptForMs, environment} = plan
  const options = `size=${bytes},nr_inodes=${Math.ceil(bytes / BYTES_PER_INODE)},mode=0700`
  const words = [
    ...[...prefix, unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', HOLD],
    ...[mount, options, at, (mode & 0o777).toString(8), String(Math.ceil(keptForMs / 1000))],
  ]
  const devNull = openSync('/dev/null', 'r')
  try {
    // What the caller's shell left open would stay open for as long.
    const strays = Array.from({length: Math.max(2, ...inheritableDescriptors()) - 2}, () => devNull)
    const child = start(words, {
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', ...strays],
    })
    await started(child)
    child.unref()
    pipeOf(child, 0).on('error', () => {})
    return named(await firstLine(pipeOf(child, 1)))
  } finally {
    closeSync(devNull)
  }
}

async function firstLine(output: AsyncIterable<unknown>): Promise<string> {
  for await (const piece of output) return String(piece)
  return ''
}

function named(line: string): MemoryHolder | undefined {
  const pid = Number(line)
  const startTime = pid > 1 ? processStartTime(pid) : undefined
  return startTime === undefined ? undefined : {pid, startTime}
}

/** Words before a program that is to see the files, as root of their user namespace. */
export function enterMemory({pid}: MemoryHolder, nsenter: string): string[] {
  return [nsenter, '--target', String(pid), '--user', '--mount', '--preserve-credentials', '--']
}

/** Where this process sees a folder as the holder does. @see proc_pid_root(5) */
export function throughMemory({pid}: MemoryHolder, path: string): string {
  return `/proc/${pid}/root${path}`
}

const POLL_MS = 5

/** Ends a holder; what still runs on the files keeps them. */
export async function endMemory({pid, startTime}: MemoryHolder): Promise<void> {
  while (processStartTime(pid) === startTime) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      return
    }
    await sleep(POLL_MS)
  }
}

/** Nearly all: the last thing that was to be written needed more than is free. */
const FULL = 0.97

/** @returns How many bytes it holds, where it can take hardly more. */
export async function fullMemory(holder: MemoryHolder, at: string): Promise<number | undefined> {
  try {
    const {blocks, bavail, files, ffree, bsize} = await statfs(throughMemory(holder, at))
    const isFull = bavail < blocks * (1 - FULL) || ffree < files * (1 - FULL)
    return isFull ? blocks * bsize : undefined
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}
