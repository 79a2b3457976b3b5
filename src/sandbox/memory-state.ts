import {readFileSync} from 'node:fs'
import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {writeFileAtomic} from '../host/atomic-file.js'
import {ignoring, unlessErrno} from '../host/errno.js'
import {bootId, processStartTime} from '../host/proc.js'
import {parseState} from './anchor-state.js'
import {endMemory, type MemoryHolder} from './memory.js'

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
