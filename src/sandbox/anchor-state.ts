import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {bootId, processStartTime} from '../host/proc.js'

/** The first process of a running environment, as the host sees it. */
export type Anchor = {readonly pid: number; readonly startTime: string}

/** Files of one environment's run-time state; no guest sees this folder. */
export function anchorFiles(runFolder: string) {
  return {
    /** Held exclusively by the anchor itself for as long as anything of the environment lives. */
    liveness: join(runFolder, 'anchor.lock'),
    /** Kept open by every session, so that the holder knows of them without a look at /proc. */
    hold: join(runFolder, 'hold'),
    state: join(runFolder, 'anchor.json'),
    info: join(runFolder, 'bwrap-info.json'),
    log: join(runFolder, 'anchor.log'),
  } as const
}

/** Bound on the state files: a hundred bytes are usual. */
const MAX_STATE_BYTES = 4096

/** The recorded anchor, if that very process still lives. */
export function readLiveAnchor(runFolder: string): Anchor | undefined {
  const state = parseState(readSmall(anchorFiles(runFolder).state))
  if (state === undefined || state.bootId !== bootId()) return undefined
  return processStartTime(state.pid) === state.startTime
    ? {pid: state.pid, startTime: state.startTime}
    : undefined
}

/** Records the process that bwrap named; undefined when it is gone already. */
export async function recordAnchor(runFolder: string): Promise<Anchor | undefined> {
  const pid = parseInfo(readSmall(anchorFiles(runFolder).info))
  const startTime = pid === undefined ? undefined : processStartTime(pid)
  if (pid === undefined || startTime === undefined) return undefined
  const state = {schemaVersion: 1, pid, startTime, bootId: bootId()}
  await writeFileAtomic(anchorFiles(runFolder).state, `${JSON.stringify(state)}\n`, {mode: 0o600})
  return {pid, startTime}
}

/** Reads what bwrap writes to `--info-fd`; undefined while it is empty or half there. */
export function parseInfo(text: string): number | undefined {
  const pid = parseObject(text)?.['child-pid']
  return isProcessId(pid) ? pid : undefined
}

/** Reads a state file; undefined for anything that this version did not write. */
export function parseState(text: string): (Anchor & {bootId: string}) | undefined {
  const {schemaVersion, pid, startTime, bootId: boot} = parseObject(text) ?? {}
  if (schemaVersion !== 1 || !isProcessId(pid)) return undefined
  if (typeof startTime !== 'string' || typeof boot !== 'string') return undefined
  return {pid, startTime, bootId: boot}
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? {...value} : undefined
  } catch {
    return undefined
  }
}

function isProcessId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 1
}

function readSmall(path: string): string {
  try {
    const data = readFileSync(path)
    return data.length > MAX_STATE_BYTES ? '' : data.toString('utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}
