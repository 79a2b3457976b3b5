import {statfs} from 'node:fs/promises'
import type {Host} from '../host/host.js'
import {processStartTime} from '../host/proc.js'
import {type CopyPlan, copyTree} from '../rootfs/copy.js'
import {measureTrees, removeTree} from '../rootfs/tree-process.js'
import type {Anchor} from '../sandbox/anchor-state.js'
import {whileFrozen} from '../sandbox/freeze.js'
import {behindClosedGate} from '../sandbox/gate.js'
import {describeProcesses} from '../sandbox/processes.js'
import {copySpaceError} from '../storage/errors.js'
import type {History} from '../storage/history.js'
import {layerFiles} from '../storage/layer-files.js'
import type {LayerId} from '../storage/layer-id.js'
import {layersProcess} from './memory-upper.js'
import {freezeFailedError} from './snapshot-errors.js'
import type {Environment} from './store.js'
import {copyGuard, signalSender, toolPath} from './toolbox.js'

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
