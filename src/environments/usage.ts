import {statSync} from 'node:fs'
import {utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {writeFileAtomic} from '../host/atomic-file.js'
import {readSmallFile} from '../host/small-file.js'
import {isLayerId, type LayerId} from '../storage/layer-id.js'

/** Allocated bytes of one tree, and when they were counted. */
export type Usage = {
  readonly sizeBytes: number
  readonly measuredAt: Date
  /** Which layer the tree is; undefined for a whole tree of its own. */
  readonly layer?: LayerId | undefined
}

/**
 * Not synced: what is lost is counted again.
 *
 * @param folder - An environment's, for what it writes to; or the one of a layer that changes no more.
 */
export async function recordUsage(folder: string, {sizeBytes, measuredAt, layer}: Usage): Promise<void> {
  const json = JSON.stringify({schemaVersion: 1, sizeBytes, measuredAt: measuredAt.toISOString(), layer})
  await writeFileAtomic(usagePath(folder), `${json}\n`, {mode: 0o600, isSynced: false})
}

/** @returns undefined where nothing was recorded. */
export async function readUsage(folder: string): Promise<Usage | undefined> {
  try {
    return parseUsage(readSmallFile(usagePath(folder)))
  } catch {
    return undefined
  }
}

/** Notes that a session begins; `list` shows it, and it makes the recorded size old. */
export async function recordUse(folder: string, now: Date): Promise<void> {
  const path = lastUsePath(folder)
  await utimes(path, now, now).catch(() => writeFile(path, '', {mode: 0o600}))
}

/** When the last session began; undefined before the first. */
export async function lastUse(folder: string): Promise<Date | undefined> {
  return statSync(lastUsePath(folder), {throwIfNoEntry: false})?.mtime
}

/** A record that can't be read is as good as none: the tree is measured again. */
export function parseUsage(text: string): Usage | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const {sizeBytes, measuredAt, layer}: Record<string, unknown> = {...value}
    const time = new Date(typeof measuredAt === 'string' ? measuredAt : Number.NaN)
    if (typeof sizeBytes !== 'number' || Number.isNaN(time.getTime())) return undefined
    const isLayer = typeof layer === 'string' && isLayerId(layer)
    return {sizeBytes, measuredAt: time, ...(isLayer ? {layer} : {})}
  } catch {
    return undefined
  }
}

function usagePath(folder: string): string {
  return join(folder, 'usage.json')
}

function lastUsePath(folder: string): string {
  return join(folder, 'last-used')
}
