import {readFile, stat, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import type {Host} from '../host/host.js'
import {measureTrees} from '../rootfs/tree-process.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type Environment, filesIn} from './store.js'
import {treeProcess} from './toolbox.js'

/** Allocated bytes of a tree, and when they were counted. */
export type Usage = {readonly sizeBytes: number; readonly measuredAt: Date}

/**
 * Sizes of environments, in their order: the recorded ones where nothing has run since, measured where something has.
 */
export async function currentUsage(
  host: Host,
  environments: readonly Environment[],
): Promise<(Usage | undefined)[]> {
  const recorded = await Promise.all(environments.map(freshUsage))
  for (const identity of ['mapped', 'emulated'] as const) {
    const stale = environments.filter(
      ({record}, index) => record.identity === identity && recorded[index] === undefined,
    )
    if (stale.length === 0) continue
    const measured = await measureTrees(
      await treeProcess(host, identity),
      stale.map(({files}) => files.root),
    )
    for (const [index, environment] of stale.entries()) {
      const sizeBytes = measured[index]?.sizeBytes
      if (sizeBytes === undefined) continue
      const usage = {sizeBytes, measuredAt: host.now()}
      recorded[environments.indexOf(environment)] = usage
      await recordUsage(environment.files.folder, usage).catch(ignoreErrno)
    }
  }
  return recorded
}

/** What was measured is true without being kept; the environment may be gone, or its disk be full or read-only. */
function ignoreErrno(error: unknown): void {
  if (errnoOf(error) === undefined) throw error
}

export async function recordUsage(folder: string, {sizeBytes, measuredAt}: Usage): Promise<void> {
  const json = JSON.stringify({schemaVersion: 1, sizeBytes, measuredAt: measuredAt.toISOString()})
  await writeFileAtomic(usagePath(folder), `${json}\n`, {mode: 0o600})
}

/** Notes that a session begins; `list` shows it, and it makes the recorded size old. */
export async function recordUse(folder: string, now: Date): Promise<void> {
  const path = lastUsePath(folder)
  await utimes(path, now, now).catch(() => writeFile(path, '', {mode: 0o600}))
}

/** When the last session began; undefined before the first. */
export async function lastUse(folder: string): Promise<Date | undefined> {
  return stat(lastUsePath(folder)).then(
    ({mtime}) => mtime,
    () => undefined,
  )
}

async function freshUsage({files}: Environment): Promise<Usage | undefined> {
  const usage = parseUsage(await readFile(usagePath(files.folder), 'utf8').catch(() => ''))
  const usedAt = await lastUse(files.folder)
  const isRunning = readLiveAnchor(filesIn(files.folder).run) !== undefined
  return usage === undefined || isRunning || (usedAt !== undefined && usedAt >= usage.measuredAt)
    ? undefined
    : usage
}

/** A record that can't be read is as good as none: the tree is measured again. */
export function parseUsage(text: string): Usage | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const {sizeBytes, measuredAt}: Record<string, unknown> = {...value}
    const time = new Date(typeof measuredAt === 'string' ? measuredAt : Number.NaN)
    return typeof sizeBytes === 'number' && !Number.isNaN(time.getTime())
      ? {sizeBytes, measuredAt: time}
      : undefined
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
