import {statSync} from 'node:fs'
import {utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as v from 'valibot'
import {writeFileAtomic} from '../host/atomic-file.js'
import {numberField, parseIfValid, type RecordOf, timeField} from '../host/records.js'
import {readSmallFile} from '../host/small-file.js'
import {layerIdField} from '../storage/layer-id.js'

const usageSchema = v.object({
  sizeBytes: numberField,
  measuredAt: timeField,
  /** Which layer the tree is; undefined for a whole tree of its own. */
  layer: v.optional(layerIdField),
})

/** Allocated bytes of one tree, and when they were counted. */
export type Usage = RecordOf<typeof usageSchema>

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
  return parseIfValid(text, usageSchema)
}

function usagePath(folder: string): string {
  return join(folder, 'usage.json')
}

function lastUsePath(folder: string): string {
  return join(folder, 'last-used')
}
