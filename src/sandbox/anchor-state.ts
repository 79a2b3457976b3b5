import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import * as v from 'valibot'
import {unlessErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {bootId, processStartTime} from '../host/proc.js'
import {oneOfField, parseIfValid, type RecordOf} from '../host/records.js'
import type {AnchorEngineName} from './engines/engine.js'
import type {GuestNamespace} from './second-namespace.js'

/** No process of ours is pid 1. */
const pidField = v.pipe(v.number(), v.safeInteger(), v.minValue(2))

const anchorSchema = v.object({pid: pidField, startTime: v.string()})

/** The first process of a running environment, as the host sees it. */
export type Anchor = RecordOf<typeof anchorSchema>

const anchorStateSchema = v.object({
  schemaVersion: v.literal(1),
  ...anchorSchema.entries,
  bootId: v.string(),
})

/** Files of one environment's run-time state; no guest sees this folder. */
export function anchorFiles(runFolder: string) {
  return {
    /** Held exclusively for as long as anything of the environment lives, by a process outside of it. */
    liveness: join(runFolder, 'anchor.lock'),
    /** FIFO kept open by every session, so that it is known of them without a look at /proc. */
    hold: join(runFolder, 'hold'),
    state: join(runFolder, 'anchor.json'),
    /** How a plain session joins that anchor; see join-plan.ts. */
    plan: join(runFolder, 'join'),
    /** FIFOs of one start, which have no name once it is made. */
    alive: join(runFolder, 'alive'),
    looks: join(runFolder, 'looks'),
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

/** The engine that started what was recorded last. */
export function recordedEngine(runFolder: string): AnchorEngineName {
  return parseEngine(readSmall(anchorFiles(runFolder).state))
}

/** The user namespace that the guest was given then; before there were two, one alone. */
export function recordedNamespace(runFolder: string): GuestNamespace {
  const recorded = v.object({guestNamespace: oneOfField(['second', 'of-root'])})
  return parseIfValid(readSmall(anchorFiles(runFolder).state), recorded)?.guestNamespace ?? 'only'
}

/**
 * Records the process that an engine named; undefined when it is gone already.
 *
 * @param info - What the engine wrote. It does so before it has mounted anything: only the holder tells that this is done.
 */
export async function recordAnchor(
  runFolder: string,
  info: string,
  guestNamespace: GuestNamespace,
): Promise<Anchor | undefined> {
  const pid = parseInfo(info)
  const startTime = pid === undefined ? undefined : processStartTime(pid)
  if (pid === undefined || startTime === undefined) return undefined
  const state = {
    schemaVersion: 1,
    pid,
    startTime,
    bootId: bootId(),
    engine: parseEngine(info),
    guestNamespace,
  }
  await writeFileAtomic(anchorFiles(runFolder).state, `${JSON.stringify(state)}\n`, {mode: 0o600})
  return {pid, startTime}
}

/** Reads what an engine writes, as bwrap does to `--info-fd`; undefined while it is empty or half there. */
export function parseInfo(text: string): number | undefined {
  return parseIfValid(text, v.object({'child-pid': pidField}))?.['child-pid']
}

/** The engine that a state file, or what an engine wrote, tells of; bwrap does not name itself. */
export function parseEngine(text: string): AnchorEngineName {
  return parseIfValid(text, v.object({engine: v.literal('unshare')}))?.engine ?? 'bwrap'
}

/** Reads a state file; undefined for anything that this version did not write. */
export function parseState(text: string): (Anchor & {bootId: string}) | undefined {
  return parseIfValid(text, anchorStateSchema)
}

function readSmall(path: string): string {
  const data = unlessErrno(() => readFileSync(path), 'ENOENT')
  return data === undefined || data.length > MAX_STATE_BYTES ? '' : data.toString('utf8')
}
