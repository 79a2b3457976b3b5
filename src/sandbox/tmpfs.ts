import {closeSync, openSync, readFileSync} from 'node:fs'
import {readdir, rm, statfs} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {bootId, inheritableDescriptors, processStartTime} from '../host/machine/proc.js'
import {endGroupOfFailed, pipeOf, start, started} from '../host/process.js'
import {type Anchor, parseState} from './anchor-state.js'

/** A process whose mount namespace has a tmpfs on a folder. The kernel frees the tmpfs with its last user. */
export type MemoryHolder = Anchor

/** A tmpfs to mount, and its lifetime. */
export type MemoryPlan = {
  /** Argv prefix that makes the user namespace of the files. */
  readonly prefix: readonly string[]
  readonly unshare: string
  readonly mount: string
  /** The mount point; the tmpfs gets the folders `tree` and `work`. */
  readonly at: string
  /** Permissions of `tree`. */
  readonly mode: number
  readonly bytes: number
  /** Time that the files outlive this process, after `outlive`. */
  readonly keptForMs: number
  readonly environment: NodeJS.ProcessEnv
}

/** Limits the inodes of a tmpfs, so that empty files use no more memory than its size. */
const BYTES_PER_INODE = 4096

/**
 * Arguments: $1 options, $2 folder, $3 mode, $4 seconds. The script's stdin closes when this process ends. A line from it says that
 * the files shall outlive it.
 */
const HOLD = `mount=$0
"$mount" -t tmpfs -o "$1" envs "$2" && mkdir -m "$3" "$2/tree" && mkdir -m 700 "$2/work" || exit
echo $$
exec >/dev/null
read -r _ || exit
read -r _
exec sleep "$4"`

/** A holder that ends together with this process, as long as the files are not worth keeping. */
export type HeldMemory = MemoryHolder & {
  /** Lets the files outlive this process, for the time of the plan. */
  outlive(): void
}

/** Mounts a tmpfs in a mount namespace of its own. @returns undefined when the mount fails. */
export async function holdMemory(plan: MemoryPlan): Promise<HeldMemory | undefined> {
  const {prefix, unshare, mount, at, mode, bytes, keptForMs, environment} = plan
  const options = `size=${bytes},nr_inodes=${Math.ceil(bytes / BYTES_PER_INODE)},mode=0700`
  const words = [
    ...[...prefix, unshare, '--mount', '--propagation', 'slave', '--', '/bin/sh', '-c', HOLD],
    ...[mount, options, at, (mode & 0o777).toString(8), String(Math.ceil(keptForMs / 1000))],
  ]
  const devNull = openSync('/dev/null', 'r')
  try {
    // Replace descriptors that the caller's shell left open: the holder would keep them open.
    const strays = Array.from({length: Math.max(2, ...inheritableDescriptors()) - 2}, () => devNull)
    const child = start(words, {
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', ...strays],
    })
    endGroupOfFailed(child)
    await started(child)
    child.unref()
    pipeOf(child, 0).on('error', () => {})
    const holder = named(await firstLine(pipeOf(child, 1)))
    return holder === undefined ? undefined : {...holder, outlive: () => void pipeOf(child, 0).write('\n')}
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

/** Returns an argv prefix for a program that sees the files, as root of their user namespace. */
export function enterMemory({pid}: MemoryHolder, nsenter: string): string[] {
  return [nsenter, '--target', String(pid), '--user', '--mount', '--preserve-credentials', '--']
}

/** Returns the path through which this process sees a folder as the holder does. @see proc_pid_root(5) */
export function throughMemory({pid}: MemoryHolder, path: string): string {
  return `/proc/${pid}/root${path}`
}

const POLL_MS = 5

/** Ends a holder; the files exist until no process uses them. */
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

/** Used share from which a tmpfs counts as full: the last write may have needed more than is free. */
const FULL = 0.97

/** Returns the size of a tmpfs that is nearly full; undefined otherwise. */
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

/** Records the holder of a folder's files in memory. @param key - Identifies the folder; part of a file name. */
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

/** Returns the holder of a folder's files; `lost` when it has ended, undefined when the files were never in memory. */
export function readMemory(runFolder: string, key: string): MemoryHolder | 'lost' | undefined {
  const text = readIfThere(stateFile(runFolder, key))
  if (text === undefined) return undefined
  const state = parseState(text)
  if (state === undefined) return 'lost'
  const {pid, startTime} = state
  const isLive = state.bootId === bootId() && processStartTime(pid) === startTime
  return isLive ? {pid, startTime} : 'lost'
}

/** Ends the holders of an environment, which frees the memory unless a process still uses the files. */
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
