import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import * as v from 'valibot'
import {ignoring, unlessErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {bootId, processStartTime} from '../host/machine/proc.js'
import {oneOfField, parseIfValid, type RecordOf} from '../host/records.js'
import type {AnchorEngineName} from './engines/engine.js'
import {OWN_NETWORKS, type OwnNetwork} from './network/outlet.js'
import type {GuestNamespace} from './second-namespace.js'

/** envs starts no process that is pid 1 on the host. */
const pidField = v.pipe(v.number(), v.safeInteger(), v.minValue(2))

const placeSchema = v.object({
  /** The guest's control groups, a folder of the host; left out where the host's kernel does not have them. */
  group: v.exactOptional(v.string()),
  /** The control group of sessions, below the guest's /sys/fs/cgroup; left out without an init that has some. */
  sessionGroup: v.exactOptional(v.string()),
})

const anchorSchema = v.object({pid: pidField, startTime: v.string(), ...placeSchema.entries})

/** The first process of a running environment; `pid` is the host's. */
export type Anchor = RecordOf<typeof anchorSchema>

const anchorStateSchema = v.object({
  schemaVersion: v.literal(1),
  ...anchorSchema.entries,
  bootId: v.string(),
})

/** Returns the paths of one environment's run-time state; no guest sees this folder. */
export function anchorFiles(runFolder: string) {
  return {
    /** Lock that a process outside of the environment holds exclusively while a process of the environment exists. */
    liveness: join(runFolder, 'anchor.lock'),
    /** FIFO that each session keeps open, so that the holder detects sessions without reading /proc. */
    hold: join(runFolder, 'hold'),
    state: join(runFolder, 'anchor.json'),
    /** How the init of a guest came up and ended, by its keeper. */
    boot: join(runFolder, 'boot.json'),
    /** The state of an anchor that envs ended; see {@link recordStop}. */
    stop: join(runFolder, 'stop.json'),
    /** Plan with which sessions without options join the anchor; see join-plan.ts. */
    plan: join(runFolder, 'join'),
    /** FIFOs of one start, unlinked as soon as they are open. */
    alive: join(runFolder, 'alive'),
    looks: join(runFolder, 'looks'),
  } as const
}

/** Limit for the state files: a hundred bytes are usual. */
const MAX_STATE_BYTES = 4096

/** Returns the recorded anchor, if that process still exists: pid, start time and boot are the recorded ones. */
export function readLiveAnchor(runFolder: string): Anchor | undefined {
  const state = parseState(readSmall(anchorFiles(runFolder).state))
  if (state === undefined || state.bootId !== bootId()) return undefined
  const {schemaVersion: _, bootId: __, ...anchor} = state
  return processStartTime(state.pid) === state.startTime ? anchor : undefined
}

/** Returns the engine that started the anchor recorded last. */
export function recordedEngine(runFolder: string): AnchorEngineName {
  return parseEngine(readSmall(anchorFiles(runFolder).state))
}

/** Returns the kind of the guest's user namespace; `only` for a record of a version that knew no second namespace. */
export function recordedNamespace(runFolder: string): GuestNamespace {
  const recorded = v.object({guestNamespace: oneOfField(['second', 'of-root'])})
  return parseIfValid(readSmall(anchorFiles(runFolder).state), recorded)?.guestNamespace ?? 'only'
}

/** Programs that are pid 1 in the place of templates/guest/init.sh, and end when they are told to. */
export type GuestInit = 'systemd' | 'services'

/** Returns the init of the anchor recorded last; undefined when that ends after its last session. */
export function recordedInit(runFolder: string): GuestInit | undefined {
  const recorded = v.object({init: oneOfField(['systemd', 'services'])})
  return parseIfValid(readSmall(anchorFiles(runFolder).state), recorded)?.init
}

/** Returns the kind of a network of its own, of the anchor recorded last; undefined for the host's. */
export function recordedNetwork(runFolder: string): OwnNetwork | undefined {
  const recorded = v.object({network: oneOfField(OWN_NETWORKS)})
  return parseIfValid(readSmall(anchorFiles(runFolder).state), recorded)?.network
}

/** The start time of no process: those of the kernel are positive. */
const NEVER = '0'

/**
 * Records the process that an engine reported; undefined when the process has ended.
 *
 * @param info - Text from the engine's info descriptor. The engine writes it before it mounts: the holder reports readiness.
 */
export async function recordAnchor(
  runFolder: string,
  info: string,
  {
    guestNamespace,
    init,
    network,
  }: {
    readonly guestNamespace: GuestNamespace
    readonly init?: GuestInit | undefined
    readonly network?: OwnNetwork | undefined
  },
): Promise<Anchor | undefined> {
  const pid = parseInfo(info)
  const startTime = pid === undefined ? undefined : processStartTime(pid)
  // Of a guest's own init that has ended already, the keeper tells the status: the callers wait for that.
  if (pid === undefined || (startTime === undefined && init !== 'systemd')) return undefined
  const anchor = {pid, startTime: startTime ?? NEVER, ...parseIfValid(info, placeSchema)}
  const state = {
    schemaVersion: 1,
    ...anchor,
    bootId: bootId(),
    engine: parseEngine(info),
    guestNamespace,
    ...(init === undefined ? {} : {init}),
    ...(network === undefined ? {} : {network}),
  }
  await writeFileAtomic(anchorFiles(runFolder).state, `${JSON.stringify(state)}\n`, {mode: 0o600})
  return anchor
}

/**
 * Records that envs ends the running anchor, for the program that attends the environment (templates/host/attend.pl): the end is
 * no failure then, however it comes. Call it before the first signal. A disk without room for it must not prevent a stop.
 */
export async function recordStop(runFolder: string): Promise<void> {
  const {state, stop} = anchorFiles(runFolder)
  const writing = writeFileAtomic(stop, readSmall(state), {mode: 0o600, isSynced: false})
  await writing.catch(ignoring('ENOSPC', 'EDQUOT'))
}

/** Parses the text of an engine's info descriptor, bwrap's `--info-fd`; undefined while it is incomplete. */
export function parseInfo(text: string): number | undefined {
  return parseIfValid(text, v.object({'child-pid': pidField}))?.['child-pid']
}

/** Returns the engine that a state file or an engine's info names; bwrap does not name itself. */
export function parseEngine(text: string): AnchorEngineName {
  return parseIfValid(text, v.object({engine: v.literal('unshare')}))?.engine ?? 'bwrap'
}

/** Parses a state file; undefined for any other text. */
export function parseState(text: string): RecordOf<typeof anchorStateSchema> | undefined {
  return parseIfValid(text, anchorStateSchema)
}

function readSmall(path: string): string {
  const data = unlessErrno(() => readFileSync(path), 'ENOENT')
  return data === undefined || data.length > MAX_STATE_BYTES ? '' : data.toString('utf8')
}
