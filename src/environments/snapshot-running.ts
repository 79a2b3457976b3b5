import {mkdir} from 'node:fs/promises'
import {syncFileSystem} from '../host/file-system-sync.js'
import type {Host} from '../host/host.js'
import {type Anchor, readLiveAnchor} from '../sandbox/anchor-state.js'
import {type History, layersOf, withCopiedSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {newLayerId} from '../storage/layer-id.js'
import {thinned} from '../storage/thinning.js'
import {withSharedHistory} from './at-rest.js'
import {type CopyBounds, checkSpace, copyFrozen} from './frozen-copy.js'
import {removeUnlessNamed} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import {sweepLayers} from './layer-sweep.js'
import type {Environment} from './store.js'

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
  /** `automatic` ones are thinned. */
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
    await writeHistory(files.history, kind === 'automatic' ? thinned(made, now) : made)
    return {name, label, createdAt: now, copiedBytes, frozenMs}
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
}
