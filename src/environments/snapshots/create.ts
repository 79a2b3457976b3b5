import {existsSync} from 'node:fs'
import {statfs} from 'node:fs/promises'
import {syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {processStartTime} from '../../host/machine/proc.js'
import {type CopyPlan, copyTree} from '../../rootfs/copy.js'
import {measureTrees, removeTree} from '../../rootfs/worker/api.js'
import {type Anchor, anchorFiles, readLiveAnchor} from '../../sandbox/anchor-state.js'
import {behindClosedGate, whileFrozen} from '../../sandbox/freeze.js'
import {describeProcesses, isInUse} from '../../sandbox/processes.js'
import type {Environment} from '../../store/environments.js'
import {copySpaceError, EnvironmentRunningError} from '../../store/errors.js'
import {removeUnlessNamed, sweepLayers, withNewLayers} from '../../store/gc.js'
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
import {requireSameIds} from '../../store/integrity/id-maps.js'
import {requireUpper} from '../../store/integrity/lost-layers.js'
import {
  beginLayer,
  completeLayer,
  identityOf,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
} from '../../store/layers.js'
import {holdLayers} from '../../store/locks.js'
import {layersProcess} from '../../store/mounted-tree.js'
import {FreezeFailedError, freezeFailedError, snapshotExistsError} from '../../store/snapshot-errors.js'
import {squashToLimit} from '../../store/squash.js'
import {copyGuard, signalSender, toolPath} from '../../store/tools.js'
import {
  findWithHistory,
  type StoppedEnvironment,
  withSharedHistory,
  withStoppedEnvironment,
} from './stopped.js'

export type SnapshotRequest = {
  /** Undefined for a label with the time. */
  readonly label: string | undefined
  /** The key of the layer that the state ends with; see the schema of the history. */
  readonly projectKey?: string
  /** Whether the new files are synced to the disk. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
}

/**
 * Takes a snapshot. A stopped environment gets a new upper layer, without a copy; the upper layer of a running one is copied.
 *
 * @throws {@link snapshotExistsError} @throws {@link storePathTooLongError} @throws {@link noHistoryError} @throws {EnvironmentNotFoundError}
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
    const taken = await unlessStopped(files.run, () => snapshotRunning(host, text, running))
    if (taken !== undefined) return taken
  }
  try {
    return await withStoppedEnvironment(host, text, {force: false, command: 'snapshot'}, (stopped) => {
      const {environment, history: before} = stopped
      return withNewLayers(host, {files: environment.files, before}, () => sealUpper(host, stopped, request))
    })
  } catch (error) {
    // The environment started in the meantime.
    const taken =
      error instanceof EnvironmentRunningError ? await snapshotRunning(host, text, running) : undefined
    if (taken === undefined) throw error
    return taken
  }
}

/** Returns undefined when the freeze fails because the environment ended by itself: it is stopped then. */
async function unlessStopped<T>(runFolder: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FreezeFailedError) || (await isInUse(runFolder))) throw error
    return undefined
  }
}

async function sealUpper(
  host: Host,
  {environment, history, isUpperEmpty}: StoppedEnvironment,
  {label: wanted, projectKey, isSynced}: SnapshotRequest,
): Promise<TakenSnapshot> {
  const {name, files} = environment
  requireUpper({name, paths: host.paths}, history)
  const now = host.now()
  const label = chooseLabel(name, history, {wanted, now})
  const ofProject = projectKey === undefined ? {} : {projectKey}
  const naming = {label, kind: 'manual', name, ...startField(environment, history), ...ofProject} as const
  const done = {name, label, createdAt: now, copiedBytes: 0, frozenMs: 0}
  if (isUpperEmpty) {
    await writeHistory(files.history, withNamed(history, naming, {now}))
    return done
  }
  const fresh = newLayerId(identityOf(history.upper))
  await makeUpper(host.paths.layers, fresh, {below: history.upper})
  const sealed = withSnapshot(history, naming, {now, fresh})
  const to = await squashToLimit(host, environment, {history: sealed, isSynced})
  await writeHistory(files.history, to)
  return done
}

/** Marks the state of an environment that never ran as the start of its history: `undo` finds nothing before it. */
function startField({files}: Environment, {after}: History): {isStart?: true} {
  const hasRun = existsSync(anchorFiles(files.run).state)
  return hasRun || after !== undefined ? {} : {isStart: true}
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
  /** Size of the copy of a running environment's files; 0 for a stopped one. */
  readonly copiedBytes: number
  /** How long its processes were frozen; 0 where nothing runs. */
  readonly frozenMs: number
}

/** Options of a snapshot of a running environment. */
export type RunningSnapshotRequest = {
  /** @throws {@link snapshotExistsError} */
  chooseLabel(history: History, now: Date): string
  /** Retention removes old `automatic` snapshots. */
  readonly kind: 'manual' | 'automatic'
  /** Left out where the copy may use all free space. */
  readonly bounds?: CopyBounds
  /** Whether the new files are synced to the disk. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
  /** Called when the processes run again: the copy is made, and the history does not list it yet. */
  readonly onTaken?: () => void
}

/**
 * Takes a snapshot of a running environment: copies its upper layer while all its processes are frozen.
 *
 * @returns undefined when the environment does not run any more.
 * @throws As `takeSnapshot`.
 */
export async function snapshotRunning(
  host: Host,
  text: string,
  request: RunningSnapshotRequest,
): Promise<TakenSnapshot | undefined> {
  return withSharedHistory(host, text, async (environment) => {
    const anchor = readLiveAnchor(environment.files.run)
    if (anchor === undefined) return undefined
    await requireSameIds(host, environment)
    const before = await readHistory(environment.files.history)
    const taken = await copyUpper(host, environment, {anchor, request, before})
    if (request.kind === 'automatic') await sweepLayers(host, layersOf(before))
    return taken
  })
}

type UpperCopy = {readonly anchor: Anchor; readonly request: RunningSnapshotRequest; readonly before: History}

async function copyUpper(
  host: Host,
  environment: Environment,
  {anchor, request, before}: UpperCopy,
): Promise<TakenSnapshot> {
  const {name, files, record} = environment
  const {kind} = request
  const now = host.now()
  const label = request.chooseLabel(before, now)
  const held = await holdLayers(host.paths)
  const copy = newLayerId(record.identity)
  const {folder} = layerFiles(host.paths.layers, copy)
  try {
    beginLayer(host.paths.layers, copy)
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
    completeLayer(host.paths.layers, copy)
    return {name, label, createdAt: now, copiedBytes, frozenMs}
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
}

/** Magic numbers of file systems that can share the blocks of a copy (reflink). @see statfs(2) */
const BTRFS_SUPER_MAGIC = 0x9123683e
const XFS_SUPER_MAGIC = 0x58465342

/** Bounds of a copy that no user asked for. */
export type CopyBounds = {
  readonly copiedBytes: number
  /** Bound in place of `copiedBytes` where the file system can share blocks. */
  readonly sharedBytes: number
  /** Largest part of the free space, from 0 to 1. */
  readonly freeSpaceShare: number
}

/** A copy that the user asked for may use all free space. */
const NO_BOUNDS: CopyBounds = {
  copiedBytes: Number.POSITIVE_INFINITY,
  sharedBytes: Number.POSITIVE_INFINITY,
  freeSpaceShare: 1,
}

/**
 * Checks that a copy of the upper layer fits the bounds.
 *
 * @returns The size of the copy in bytes.
 * @throws {LayerSpaceError} When the copy exceeds a bound.
 */
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
  const maxBytes = sharesBlocks
    ? bounds.sharedBytes
    : Math.min(bounds.copiedBytes, freeBytes * bounds.freeSpaceShare)
  if (neededBytes > maxBytes) {
    const [neededMegabytes, freeMegabytes] = [Math.ceil(neededBytes / 1e6), Math.floor(freeBytes / 1e6)]
    throw copySpaceError({folder: host.paths.layers, neededMegabytes, freeMegabytes})
  }
  return neededBytes
}

/** A copy is repeated when a process of the environment ran during it. */
const MAX_ATTEMPTS = 3

type FrozenCopy = {
  readonly anchor: Anchor
  readonly from: LayerId
  readonly copy: LayerId
  readonly request: {readonly signal: AbortSignal}
}

/**
 * Copies a layer of a running environment while all its processes are frozen and no session can start. Discards a copy during
 * which a process ran.
 *
 * @returns How long the processes were frozen, in milliseconds.
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
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await removeTree(reader, plan.to, request)
    const done = await behindClosedGate(files.run, () =>
      whileFrozen(anchor, sender, (signal) =>
        copyTree(reader, plan, {signal: AbortSignal.any([request.signal, signal])}),
      ),
    )
    if (done?.value.isFrozen === true) return done.value.frozenMs
    request.signal.throwIfAborted()
    pids = done?.value.pids ?? []
    // Only a freeze that a process broke is worth another attempt, and only while the environment runs.
    if (done?.value.why !== 'woken' || processStartTime(anchor.pid) !== anchor.startTime) break
  }
  // The first process of the environment is not the cause: the other processes woke it.
  const named = describeProcesses(pids.filter((pid) => pid !== anchor.pid))
  const commands = named.slice(0, 3).map(({command}) => shortened(command))
  throw freezeFailedError({name, commands: commands.length > 0 ? commands : 'unknown'})
}

const MAX_COMMAND_LENGTH = 60

/** An argument of a program may be a whole script. */
function shortened(command: string): string {
  return command.length > MAX_COMMAND_LENGTH ? `${command.slice(0, MAX_COMMAND_LENGTH - 1)}…` : command
}
