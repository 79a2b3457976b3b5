import {mkdir, statfs} from 'node:fs/promises'
import {syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {processStartTime} from '../../host/proc.js'
import {type CopyPlan, copyTree} from '../../rootfs/copy.js'
import {measureTrees, removeTree} from '../../rootfs/worker/api.js'
import {type Anchor, readLiveAnchor} from '../../sandbox/anchor-state.js'
import {behindClosedGate, whileFrozen} from '../../sandbox/freeze.js'
import {describeProcesses, isInUse} from '../../sandbox/processes.js'
import type {Environment} from '../../store/environments.js'
import {copySpaceError, EnvironmentRunningError} from '../../store/errors.js'
import {removeUnlessNamed, replaceHistory, sweepLayers} from '../../store/gc.js'
import {
  applyRetention,
  findSnapshot,
  type History,
  layersOf,
  parseLabel,
  readHistory,
  timeLabel,
  withCopiedSnapshot,
  withNamed,
  withSnapshot,
  writeHistory,
} from '../../store/history.js'
import {identityOf, type LayerId, layerFiles, makeUpper, newLayerId} from '../../store/layers.js'
import {holdLayers} from '../../store/locks.js'
import {layersProcess} from '../../store/mounted-tree.js'
import {FreezeFailedError, freezeFailedError, snapshotExistsError} from '../../store/snapshot-errors.js'
import {squashToLimit} from '../../store/squash.js'
import {copyGuard, signalSender, toolPath} from '../../store/tools.js'
import {type AtRest, atRest, findWithHistory, withSharedHistory} from './restore.js'

export type SnapshotRequest = {
  /** Undefined for one that says when. */
  readonly label: string | undefined
  /** Whether what is made anew is on the disk afterwards. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
}

/**
 * Keeps what an environment is now: at once where it is at rest, by a copy of what it has written where it runs.
 *
 * @throws {@link snapshotExistsError} @throws {TooManySnapshotsError} @throws {@link noHistoryError} @throws {EnvironmentNotFoundError}
 * @throws {@link environmentBusyError} @throws {LayerSpaceError} @throws {FreezeFailedError}
 */
export async function takeSnapshot(
  host: Host,
  text: string,
  request: SnapshotRequest,
): Promise<TakenSnapshot> {
  if (request.label !== undefined) parseLabel(request.label)
  const {name, files} = await findWithHistory(host, text)
  const running = {
    ...request,
    kind: 'manual' as const,
    chooseLabel: (history: History, now: Date) => chooseLabel(name, history, {wanted: request.label, now}),
  }
  if (await isInUse(files.run)) {
    const taken = await unlessItEnded(files.run, () => snapshotRunning(host, text, running))
    if (taken !== undefined) return taken
  }
  try {
    return await atRest(host, text, {force: false, command: 'snapshot'}, (found) =>
      sealUpper(host, found, request),
    )
  } catch (error) {
    // It began to run in between.
    const taken =
      error instanceof EnvironmentRunningError ? await snapshotRunning(host, text, running) : undefined
    if (taken === undefined) throw error
    return taken
  }
}

/** What ends by itself in the middle does not stand still, and is at rest then. */
async function unlessItEnded<T>(runFolder: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FreezeFailedError) || (await isInUse(runFolder))) throw error
    return undefined
  }
}

async function sealUpper(
  host: Host,
  {environment, history, isUpperEmpty}: AtRest,
  {label: wanted, isSynced}: SnapshotRequest,
): Promise<TakenSnapshot> {
  const {name, files} = environment
  const now = host.now()
  const label = chooseLabel(name, history, {wanted, now})
  const naming = {label, kind: 'manual', name} as const
  const done = {name, label, createdAt: now, copiedBytes: 0, frozenMs: 0}
  if (isUpperEmpty) {
    await writeHistory(files.history, withNamed(history, naming, {now}))
    return done
  }
  const fresh = newLayerId(identityOf(history.upper))
  await makeUpper(host.paths.layers, fresh, {below: history.upper})
  const sealed = withSnapshot(history, naming, {now, fresh})
  const to = await squashToLimit(host, environment, {history: sealed, isSynced})
  await replaceHistory(host, environment, {from: history, to})
  return done
}

/** @throws {@link snapshotExistsError} */
function chooseLabel(
  name: string,
  history: History,
  {wanted, now}: {wanted: string | undefined; now: Date},
): string {
  if (wanted === undefined) return timeLabel(history, now)
  if (findSnapshot(history, wanted) !== undefined) throw snapshotExistsError({name, label: wanted})
  return wanted
}

export type TakenSnapshot = {
  readonly name: string
  readonly label: string
  readonly createdAt: Date
  /** What had to be copied, for the environment runs; 0 where it does not. */
  readonly copiedBytes: number
  /** How long everything in it stood still; 0 where nothing runs. */
  readonly frozenMs: number
}

/** How a snapshot of what runs is to be made. */
export type RunningRequest = {
  /** @throws {@link snapshotExistsError} */
  chooseLabel(history: History, now: Date): string
  /** Retention removes old `automatic` snapshots. */
  readonly kind: 'manual' | 'automatic'
  /** Left out for one that may take all the space there is. */
  readonly bounds?: CopyBounds
  /** Whether what is made anew is on the disk afterwards. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
  /** Called when all goes on: the copy is made, and not yet kept. */
  readonly onTaken?: () => void
}

/**
 * A snapshot of an environment that runs: what it has written is copied while all of it stands still.
 *
 * @returns undefined when nothing of it runs any more.
 * @throws As `takeSnapshot`.
 */
export async function snapshotRunning(
  host: Host,
  text: string,
  request: RunningRequest,
): Promise<TakenSnapshot | undefined> {
  return withSharedHistory(host, text, async (environment) => {
    const anchor = readLiveAnchor(environment.files.run)
    if (anchor === undefined) return undefined
    const before = await readHistory(environment.files.history)
    const taken = await copyUpper(host, environment, {anchor, request, before})
    if (request.kind === 'automatic') await sweepLayers(host, layersOf(before))
    return taken
  })
}

type Work = {readonly anchor: Anchor; readonly request: RunningRequest; readonly before: History}

async function copyUpper(
  host: Host,
  environment: Environment,
  {anchor, request, before}: Work,
): Promise<TakenSnapshot> {
  const {name, files, record} = environment
  const {kind} = request
  const now = host.now()
  const label = request.chooseLabel(before, now)
  const held = await holdLayers(host.paths)
  const copy = newLayerId(record.identity)
  const {folder} = layerFiles(host.paths.layers, copy)
  try {
    await mkdir(folder, {mode: 0o700})
    const copiedBytes = await checkSpace(host, environment, before, request.bounds)
    const frozenMs = await copyFrozen(host, environment, {anchor, from: before.upper, copy, request})
    request.onTaken?.()
    if (request.isSynced) await syncFileSystem(folder)
    const made = withCopiedSnapshot(
      await readHistory(files.history),
      {label, kind, name},
      {now, copy, before},
    )
    await writeHistory(files.history, kind === 'automatic' ? applyRetention(made, now) : made)
    return {name, label, createdAt: now, copiedBytes, frozenMs}
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
}

/** File systems that can share the blocks of a copy. @see statfs(2) */
const BTRFS_SUPER_MAGIC = 0x9123683e
const XFS_SUPER_MAGIC = 0x58465342

/** What a copy that nobody asked for by name may take. */
export type CopyBounds = {
  readonly copiedBytes: number
  /** The same where the file system may share the blocks. */
  readonly sharedBytes: number
  /** Part of the free space. */
  readonly ofFreeSpace: number
}

/** What somebody asked for may take all there is. */
const NO_BOUNDS: CopyBounds = {
  copiedBytes: Number.POSITIVE_INFINITY,
  sharedBytes: Number.POSITIVE_INFINITY,
  ofFreeSpace: 1,
}

/** @returns What is to be copied. @throws {LayerSpaceError} Unless the file system may need less for a copy. */
export async function checkSpace(
  host: Host,
  environment: Environment,
  history: History,
  bounds: CopyBounds = NO_BOUNDS,
): Promise<number> {
  const {tree} = layerFiles(host.paths.layers, history.upper)
  const [neededBytes = 0] = await measureTrees(await layersProcess(host, environment, history), [tree])
  const {type, bavail, bsize} = await statfs(host.paths.layers)
  const sharesBlocks = type === BTRFS_SUPER_MAGIC || type === XFS_SUPER_MAGIC
  const freeBytes = bavail * bsize
  const mostBytes = sharesBlocks
    ? bounds.sharedBytes
    : Math.min(bounds.copiedBytes, freeBytes * bounds.ofFreeSpace)
  if (neededBytes > mostBytes) throw copySpaceError({folder: host.paths.layers, neededBytes, freeBytes})
  return neededBytes
}

/** How often a copy is made that somebody in the environment ran beside. */
const MOST_ATTEMPTS = 3

type FrozenCopy = {
  readonly anchor: Anchor
  readonly from: LayerId
  readonly copy: LayerId
  readonly request: {readonly signal: AbortSignal}
}

/**
 * Copies what an environment has written, while all in it stands still and nobody comes in. A copy beside which something
 * ran is given up.
 *
 * @returns How long everything stood still.
 * @throws {FreezeFailedError} @throws {@link unguardedCopyError}
 */
export async function copyFrozen(
  host: Host,
  environment: Environment,
  {anchor, from, copy, request}: FrozenCopy,
): Promise<number> {
  const {name, record, files} = environment
  const {layers} = host.paths
  const plan: CopyPlan = {
    cp: toolPath(host, 'cp'),
    from: layerFiles(layers, from).tree,
    to: layerFiles(layers, copy).tree,
    keepOwners: record.identity === 'mapped',
    guard: copyGuard(host),
  }
  const reader = await layersProcess(host, environment, {upper: from})
  const sender = signalSender(host)
  let pids: readonly number[] = []
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    if (attempt > 0) await removeTree(reader, plan.to, request)
    const done = await behindClosedGate(files.run, () =>
      whileFrozen(anchor, sender, (signal) =>
        copyTree(reader, plan, {signal: AbortSignal.any([request.signal, signal])}),
      ),
    )
    if (done?.value.isFrozen === true) return done.value.frozenMs
    request.signal.throwIfAborted()
    pids = done?.value.pids ?? []
    // What can't be stopped now can't be a moment later; and what is stopped has ended.
    if (done?.value.why !== 'woken' || processStartTime(anchor.pid) !== anchor.startTime) break
  }
  // The first process only hears of the others.
  const named = describeProcesses(pids.filter((pid) => pid !== anchor.pid))
  const commands = named.slice(0, 3).map(({command}) => shortened(command))
  throw freezeFailedError({name, commands: commands.length > 0 ? commands : 'unknown'})
}

const MOST_CHARACTERS = 60

/** A program may have got a whole script for an argument. */
function shortened(command: string): string {
  return command.length > MOST_CHARACTERS ? `${command.slice(0, MOST_CHARACTERS - 1)}…` : command
}
